/**
 * Where the kit says, on `node:diagnostics_channel`, what becomes of its connections: anybody in the process may listen,
 * and nothing here depends on whether somebody does. The messages are typed in `observe/connection-messages.ts`, whose
 * names for the channels a test compares with these.
 *
 * Whoever publishes looks at `hasSubscribers` first, so that a connection nobody listens for makes no message.
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
