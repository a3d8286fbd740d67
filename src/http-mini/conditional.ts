/**
 * Whether a request still wants what there is: If-Match, If-Unmodified-Since, If-None-Match, If-Modified-Since and
 * If-Range, in the order of RFC 9110, section 13.2.2. A field that cannot be read counts as one that names nothing,
 * or, where it is a date, as absent.
 */
import { parseHttpDate } from './http-date.js'

/** What tells one state of a representation from another. */
export interface Validators {
  /** The entity tag with its quotes, a weak one with `W/` before them. */
  readonly etag?: string | undefined
  /** When it was last changed, in milliseconds. */
  readonly lastModifiedMs?: number | undefined
}

/** The fields of a request, by their names without regard to case. */
interface Fields {
  get(name: string): string | undefined
}

/** What a request is to get: its own answer, a 304, or a 412. */
export type PreconditionResult = 'proceed' | 'not-modified' | 'precondition-failed'

/**
 * Evaluates the preconditions of a request against what there is now; `undefined` where there is nothing yet, so
 * that `If-None-Match: *` lets a PUT create and no more.
 *
 * ```ts
 * if (checkPreconditions(request, { etag }) === 'precondition-failed') throw new HttpError(412)
 * ```
 */
export function checkPreconditions(
  request: { readonly method: string; readonly headers: Fields },
  current: Validators | undefined,
): PreconditionResult {
  const { method, headers } = request
  const isRead = method === 'GET' || method === 'HEAD'

  const ifMatch = headers.get('if-match')
  if (ifMatch !== undefined) {
    if (!isListed(ifMatch, current, 'strong')) return 'precondition-failed'
  } else if (isChangedSince(headers.get('if-unmodified-since'), current) === true) {
    return 'precondition-failed'
  }

  const ifNoneMatch = headers.get('if-none-match')
  if (ifNoneMatch !== undefined) {
    if (!isListed(ifNoneMatch, current, 'weak')) return 'proceed'
    return isRead ? 'not-modified' : 'precondition-failed'
  }
  const isUnchanged = isChangedSince(headers.get('if-modified-since'), current) === false
  return isRead && isUnchanged ? 'not-modified' : 'proceed'
}

/**
 * Whether a Range of the request may be honoured: it has no If-Range, or one that names exactly what there is now.
 * A weak tag never does, nor a date within whose second there may have been another change.
 */
export function holdsIfRange(
  headers: Fields,
  { etag, lastModifiedMs }: Validators,
  nowMs: number = Date.now(),
): boolean {
  const field = headers.get('if-range')
  if (field === undefined) return true
  if (/^(?:W\/)?"/.test(field)) {
    return etag !== undefined && parseTags(field).some((tag) => isSame(tag, etag, 'strong'))
  }
  const atMs = parseHttpDate(field)
  if (atMs === undefined || lastModifiedMs === undefined) return false
  return atMs === toSecond(lastModifiedMs) && nowMs - atMs >= RESOLUTION_MS
}

/** Below this age a time in whole seconds may stand for two states. */
const RESOLUTION_MS = 1000

/** Undefined where the field is to be ignored. */
function isChangedSince(
  field: string | undefined,
  current: Validators | undefined,
): boolean | undefined {
  const sinceMs = field === undefined ? undefined : parseHttpDate(field)
  if (sinceMs === undefined || current?.lastModifiedMs === undefined) return undefined
  return toSecond(current.lastModifiedMs) > sinceMs
}

function toSecond(ms: number): number {
  return Math.floor(ms / 1000) * 1000
}

type Comparison = 'strong' | 'weak'

function isListed(field: string, current: Validators | undefined, comparison: Comparison): boolean {
  if (field.trim() === '*') return current !== undefined
  const etag = current?.etag
  return etag !== undefined && parseTags(field).some((tag) => isSame(tag, etag, comparison))
}

/** Section 8.8.3.2. */
function isSame(a: string, b: string, comparison: Comparison): boolean {
  if (comparison === 'strong') return a === b && !a.startsWith('W/')
  return a.replace(/^W\//, '') === b.replace(/^W\//, '')
}

/** One tag of a list, with what parts it from the next. A tag may hold commas. */
const TAG = /[ \t,]*((?:W\/)?"[\x21\x23-\x7E\x80-\xFF]*")[ \t]*(?=,|$)/y

/** The tags of a list up to its end, or to where it is none. */
function parseTags(field: string): string[] {
  const tags: string[] = []
  TAG.lastIndex = 0
  for (let match = TAG.exec(field); match !== null; match = TAG.exec(field)) {
    tags.push(match[1] as string)
  }
  return tags
}
