/** HTTP as the handler of a server: what makes a server of the kit one of HTTP. */
import type { Handler } from '../protocol/handler.js'
import { resolveDeadlines, SERVER_DEADLINES, type DeadlineOptions } from '../protocol/deadlines.js'
import type { OnAnswer } from './answer-info.js'
import { HttpConnection, type HttpSettings } from './http-connection.js'
import { resolveHttpLimits, type HttpLimits } from './http-limits.js'
import type { HttpHandler } from './http-response.js'

/**
 * How long a client may take over what, in milliseconds; `Infinity` switches a guard off. `messageMs` and `idleMs` hold for
 * connections that were taken over by `upgrade()`, and for no others.
 */
export interface HttpDeadlineOptions extends DeadlineOptions {
  /** For the first byte of a connection, past which it ends without a word. @default `headerMs` */
  firstByteMs?: number | undefined
  /** For a head, from its first byte, however it drips in; past it 408. @default 10000 */
  headerMs?: number | undefined
  /** For the next request on a connection that is kept. @default 5000 */
  keepAliveMs?: number | undefined
  /** For a body, besides a second for each 16 KiB that have come, while a handler waits for it; past it 408. @default 30000 */
  bodyMs?: number | undefined
}

/** What {@link httpHandler} takes. */
export interface HttpOptions {
  limits?: HttpLimits | undefined
  /** Of a connection that is taken over, those of its server hold again. */
  deadlines?: HttpDeadlineOptions | undefined
  /** Called when an answer was written, 101 included, or could not be: for access logs. It must not throw. */
  onAnswer?: OnAnswer | undefined
}

/** Something that answers requests: a Router is one. */
export interface HttpApp {
  handle: HttpHandler
}

const DEFAULT_HEADER_MS = 10_000
const DEFAULT_KEEP_ALIVE_MS = 5_000
const DEFAULT_BODY_MS = 30_000
const BODY_BYTES_PER_MS = (16 * 1024) / 1000

/**
 * Makes a handler that speaks HTTP/1.1 on its connections, for `startServer()`; `startHttpServer()` does both.
 *
 * @throws TypeError when `app` is neither a function nor has `handle()`
 * @throws RangeError when an option has no meaning
 */
export function httpHandler(app: HttpHandler | HttpApp, options: HttpOptions = {}): Handler {
  const settings = resolveSettings(app, options)
  return (connection) => new HttpConnection(connection, settings).serve()
}

function resolveSettings(app: HttpHandler | HttpApp, options: HttpOptions): HttpSettings {
  const { deadlines = {}, limits, onAnswer } = options
  const headerMs = checkMs('headerMs', deadlines.headerMs, DEFAULT_HEADER_MS)
  const keepAliveMs = checkMs('keepAliveMs', deadlines.keepAliveMs, DEFAULT_KEEP_ALIVE_MS)
  const bodyMs = checkMs('bodyMs', deadlines.bodyMs, DEFAULT_BODY_MS)
  const { firstByteMs = headerMs, writeStallMs, halfClosedMs } = deadlines
  const own = resolveDeadlines(
    { firstByteMs, writeStallMs, halfClosedMs, messageMs: headerMs, idleMs: Infinity },
    SERVER_DEADLINES,
  )
  return {
    app: toFunction(app),
    httpLimits: resolveHttpLimits(limits),
    headDeadlines: { ...own, betweenMs: keepAliveMs },
    bodyDeadlines: { ...own, firstByteMs: Infinity, messageMs: Infinity },
    bodyMs,
    bodyBytesPerMs: BODY_BYTES_PER_MS,
    onAnswer,
  }
}

function toFunction(app: HttpHandler | HttpApp): HttpHandler {
  if (typeof app === 'function') return app
  if (typeof app?.handle !== 'function') {
    throw new TypeError(`app must be a function or a Router, not ${typeof app}`)
  }
  return (request) => app.handle(request)
}

function checkMs(name: string, value: number | undefined, byDefault: number): number {
  if (value === undefined) return byDefault
  if (value > 0) return value
  throw new RangeError(
    `deadlines.${name} must be a number of milliseconds above 0 (Infinity switches it off), not ${value}`,
  )
}
