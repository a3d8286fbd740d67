/**
 * What the kit publishes on `node:diagnostics_channel` of each connection, as types, and the names of the channels.
 * Anybody may subscribe; debug mode does. A channel without subscribers costs a connection one look.
 *
 * All are published synchronously: `open` at the end of the connection's constructor, or in the turn in which it
 * becomes usable, `refuse` right behind the `open` of a connection that is not let in, `error` when it strikes, and
 * `close` right before its `closed` resolves. A connection that was published by `open` is published by `close` once,
 * and by nothing afterwards, unless its handler outlives it and fails.
 */

/** The channel of {@link ConnectionOpenMessage}. */
export const CONNECTION_OPEN_CHANNEL = 'standpipe:connection:open'

/** The channel of {@link ConnectionCloseMessage}. */
export const CONNECTION_CLOSE_CHANNEL = 'standpipe:connection:close'

/** The channel of {@link ConnectionRefuseMessage}. */
export const CONNECTION_REFUSE_CHANNEL = 'standpipe:connection:refuse'

/** The channel of {@link ConnectionErrorMessage}. */
export const CONNECTION_ERROR_CHANNEL = 'standpipe:connection:error'

/** What is asked of a connection here: a part of `Connection`. */
export interface ObservedConnection {
  readonly id: number
  readonly role: 'inbound' | 'outbound'
  readonly state: string
  readonly remote:
    { readonly host: string; readonly port: number } | { readonly path: string } | undefined
  /** Bytes that have arrived. */
  readonly bytesRead: number
  /** Bytes that were handed to the kernel. */
  readonly bytesWritten: number
  /** How many bytes have arrived and were not read. */
  readonly reader: { readonly bufferedBytes: number }
  /** How many bytes were written and wait. */
  readonly writer: { readonly bufferedBytes: number }
}

/** A connection is open. */
export interface ConnectionOpenMessage {
  readonly connection: ObservedConnection
  /**
   * An error that was made where the program asked for the connection, for its stack: in `openConnection()`, before
   * anything is awaited. Without one the stack at publishing is taken, which for a connection that was dialled or
   * accepted has nothing of the program in it.
   */
  readonly openedAt?: Error | undefined
}

/** A connection has ended. */
export interface ConnectionCloseMessage {
  readonly connection: ObservedConnection
  /** Why and how, as `Connection.closed` says. */
  readonly info: unknown
}

/** A server does not let a connection in. */
export interface ConnectionRefuseMessage {
  readonly connection: ObservedConnection
  /** A label of `server.stats.refused`: `max-connections`, `denied` … */
  readonly reason: string
}

/**
 * Something went wrong with a connection, each error once: the one that ends it (a reset, a deadline, a failure), the
 * one that kept a clean end from delivering all, a line over the limit, or what its handler threw.
 */
export interface ConnectionErrorMessage {
  readonly connection: ObservedConnection
  readonly error: unknown
}
