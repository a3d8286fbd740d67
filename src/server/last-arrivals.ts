/**
 * What is still on its way when a server stops: connections that the kernel has completed, and bytes of those that are
 * open. Each is taken until whole turns of the loop bring none, and for 100 ms at most, since peers may never pause.
 *
 * It closes nothing.
 */
import type { Clock } from '../concurrency/clock.js'
import type { Connection } from '../protocol/connection.js'

const WITHIN_MS = 100
/** After the last accepted connection the kernel may still hold some that it has completed. */
const QUIET_TURNS = 2

/**
 * Resolves when no more connections come. Closing the listener at once would reset those that the kernel has completed
 * and we have not seen. libuv takes one of them each turn, and turns are slow under load: so time alone does not end
 * this before as many have come as the kernel can have held.
 *
 * @param arrivals How many the listener has brought so far.
 */
export async function acceptTheRest(
  arrivals: () => number,
  backlog: number,
  clock: Clock,
): Promise<void> {
  const latest = clock.now() + WITHIN_MS
  const all = arrivals() + backlog + 1
  let quietTurns = 0
  while (quietTurns < QUIET_TURNS && (clock.now() < latest || arrivals() < all)) {
    const before = arrivals()
    await turnOfTheLoop()
    quietTurns = arrivals() === before ? quietTurns + 1 : 0
  }
}

/**
 * The cut of a connection: once a turn brings it no more bytes, or it has as many as its reader stores, lines and frames
 * end after the last one that is whole.
 */
export async function cutInput(connection: Connection): Promise<void> {
  const { reader, clock } = connection
  const latest = clock.now() + WITHIN_MS
  const full = connection.bytesRead + reader.mark
  for (;;) {
    const seen = connection.bytesRead
    await turnOfTheLoop()
    const { bytesRead } = connection
    if (bytesRead === seen || bytesRead >= full || reader.isPaused || clock.now() >= latest) break
  }
  reader.cut()
}

/** Two immediates: between them lies a whole poll of the sockets. */
export function turnOfTheLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
}
