/**
 * Server-sent events as text (HTML, section "Server-sent events"). Whatever an event holds, it stays one event: lines
 * of data become lines of the field, and a name or an id that would begin another field is refused.
 */

/** An event for a page's `EventSource`. One without `data` and `event` changes the page's state and fires nothing. */
export interface ServerSentEvent {
  /** What the listener gets as `event.data`: a text as it is, anything else as JSON. */
  data?: unknown
  /** For which listeners it is. @default 'message' */
  event?: string | undefined
  /** What the page sends as `Last-Event-ID` when it connects again. */
  id?: string | undefined
  /** After how many milliseconds the page connects again. */
  retry?: number | undefined
  /** Said to whoever looks at the bytes; the page does not see it. */
  comment?: string | undefined
}

/** What keeps a connection busy without saying anything. */
export const HEARTBEAT = ':\n\n'

/**
 * An event as it is sent, with the empty line that ends it; a text is one that has just this data.
 *
 * @throws TypeError for an `event` or `id` with a line break in it, an `id` with NUL, and `data` that JSON cannot hold
 * @throws RangeError for a `retry` that is not a whole number of milliseconds, 0 or more
 */
export function formatEvent(event: ServerSentEvent | string): string {
  if (typeof event === 'string') return `${field('data', event)}\n`
  const { data, event: name, id, retry, comment } = event
  let text = ''
  if (comment !== undefined) text += field('', comment)
  if (name !== undefined) text += field('event', checkLine(name, 'event'))
  if (id !== undefined) text += field('id', checkLine(id, 'id'))
  if (retry !== undefined) text += field('retry', checkRetry(retry))
  // An event that has a name and no field of data would fire nothing.
  if (data !== undefined) text += field('data', toText(data))
  else if (name !== undefined) text += 'data:\n'
  return `${text}\n`
}

/** The field, once for each line of the value. */
function field(name: string, value: string): string {
  let text = ''
  for (const line of value.split(/\r\n|\r|\n/)) text += `${name}: ${line}\n`
  return text
}

function checkLine(value: string, name: string): string {
  // What NUL does in an id is to have the page ignore it.
  if (typeof value !== 'string' || /[\r\n\0]/.test(value)) {
    throw new TypeError(
      `${name} must be a text of one line without NUL, not ${JSON.stringify(value)}`,
    )
  }
  return value
}

function checkRetry(ms: number): string {
  if (!Number.isSafeInteger(ms) || ms < 0) {
    throw new RangeError(`retry must be a whole number of milliseconds, 0 or more, not ${ms}`)
  }
  return String(ms)
}

function toText(data: unknown): string {
  if (typeof data === 'string') return data
  const json = JSON.stringify(data) as string | undefined
  if (json === undefined) {
    throw new TypeError(`data must be a text or what JSON can hold, not ${typeof data}`)
  }
  return json
}
