/**
 * The seam between the kit and whatever carries its bytes: the structural part of net.Socket that a
 * Connection uses.
 *
 * A net.Socket (also of a Unix socket) is a Transport as it is. Memory pairs and wrappers whose operations
 * fail on purpose implement the same members with the same promises:
 *
 * - `data` comes only between `resume()` (or adding the listener) and `pause()`; `end` once, after all data;
 *   `error` at most once; `close` exactly once, last.
 * - `write` calls back when the bytes are handed over, or with an error when they never will be (Node 20: for
 *   the write under way at a `destroy`, without one); until then they count in `writableLength`.
 * - after `destroy` or `resetAndDestroy` only `close` (and an `error` given to `destroy`) follow.
 */
export interface Transport {
  on(event: 'data', listener: (this: Transport, chunk: Buffer) => void): unknown
  on(event: 'end', listener: (this: Transport) => void): unknown
  on(event: 'error', listener: (this: Transport, error: Error) => void): unknown
  on(event: 'close', listener: (this: Transport, hadError: boolean) => void): unknown

  write(data: string, encoding: 'utf8' | 'latin1', done: (error?: Error | null) => void): boolean
  write(data: Uint8Array, done: (error?: Error | null) => void): boolean
  /** Ends the writing half: a FIN after what was written. */
  end(): unknown
  pause(): unknown
  resume(): unknown
  /** Ends both halves at once and without ceremony. */
  destroy(error?: Error): unknown
  /** The same with a RST. Throws where there is no such thing (Unix sockets). */
  resetAndDestroy?(): unknown
  /** Has the kernel ask a silent peer, after so many milliseconds, whether it is still there. */
  setKeepAlive?(isOn: boolean, initialDelayMs: number): unknown

  readonly destroyed: boolean
  /** Bytes taken by `write` and not yet handed over. */
  readonly writableLength: number
  /** Whether the FIN of `end` is out; undefined where a reset may come at any time. */
  readonly writableFinished?: boolean | undefined

  readonly localAddress?: string | undefined
  readonly localPort?: number | undefined
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
}

/** How every socket of the kit is made. */
export const SOCKET_OPTIONS = {
  /** A peer's FIN must not end our half: the reply is still to go. */
  allowHalfOpen: true,
  /** Lines are short; Nagle's algorithm would hold them back for a round trip. */
  noDelay: true,
  /**
   * Node's own buffers stay out of it. A paused socket stops reading after one block, which is then safe in
   * order; with a larger mark a reset would throw away what lies below it.
   */
  highWaterMark: 1,
} as const

/** Ends it with a RST. False where there is no such thing: nothing was done then. */
export function tryReset(transport: Transport): boolean {
  try {
    if (transport.resetAndDestroy === undefined) return false
    transport.resetAndDestroy()
    return true
  } catch {
    // Unix sockets have no RST: ERR_INVALID_HANDLE_TYPE.
    return false
  }
}
