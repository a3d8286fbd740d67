/**
 * Where the kit says, on `node:diagnostics_channel`, what becomes of its connections: anybody in the process may listen,
 * and nothing here depends on whether somebody does. The messages are typed in `observe/connection-messages.ts`, whose
 * names for the channels a test compares with these.
 *
 * Invariant: a connection nobody listens for makes no message, and pays one look for each of these calls.
 */
import { channel } from 'node:diagnostics_channel'

/** `{ connection, openedAt }`: a connection is usable. */
export const connectionOpen = channel('standpipe:connection:open')
/** `{ connection, info }`: a connection has ended, and `closed` is about to resolve. */
export const connectionClose = channel('standpipe:connection:close')
/** `{ connection, reason }`: a server does not let a connection in. */
export const connectionRefuse = channel('standpipe:connection:refuse')
/** `{ connection, error }`: something went wrong with a connection. */
export const connectionError = channel('standpipe:connection:error')

/** @param openedAt Made where the program asked for it, for its stack. */
export function publishOpen(connection: object, openedAt: Error | undefined): void {
  if (connectionOpen.hasSubscribers) connectionOpen.publish({ connection, openedAt })
}

export function publishClose(connection: object, info: object): void {
  if (connectionClose.hasSubscribers) connectionClose.publish({ connection, info })
}

export function publishRefusal(connection: object, reason: string): void {
  if (connectionRefuse.hasSubscribers) connectionRefuse.publish({ connection, reason })
}

/** The error that was published last of each: its reader and its handler may bring the same one. */
const published = new WeakMap<object, unknown>()

/** Each error once: whoever hears of it may call this. */
export function publishError(connection: object, error: unknown): void {
  if (!connectionError.hasSubscribers || error === published.get(connection)) return
  published.set(connection, error)
  connectionError.publish({ connection, error })
}
