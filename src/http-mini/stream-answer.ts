/**
 * An answer that is given bit by bit, from its head to its end: taken from its source as the client takes it. The source is
 * closed in every case, and what was cut short has no end that a client could take for one.
 */
import { legible } from '../concurrency/legible.js'
import { BrokenError } from '../errors.js'
import type { Connection } from '../protocol/connection.js'
import type { FramedSource } from './framed-source.js'
import type { PlannedResponse } from './response-head.js'

const LAST_CHUNK = '0\r\n\r\n'

/** Why an answer was cut short. */
export interface CutShort {
  readonly error: unknown
  /** Whether the client has left, for whom nothing more need be done. */
  readonly hasLeft: boolean
}

/**
 * Sends it.
 *
 * @param onLeave Where a client that ends its half has left: called with the reason when it does.
 * @returns undefined when all of it was written
 */
export async function streamAnswer(
  connection: Connection,
  { head, framing }: PlannedResponse,
  source: FramedSource,
  onLeave: ((reason: BrokenError) => void) | undefined,
): Promise<CutShort | undefined> {
  const { writer } = connection
  const gone = new AbortController()
  if (onLeave !== undefined) {
    const leave = (): void => {
      const reason = new BrokenError('the client has ended its half while it was answered')
      onLeave(reason)
      gone.abort(reason)
    }
    connection.onPeerEnd = leave
    if (connection.peerHasEnded) leave()
  }
  try {
    if (!gone.signal.aborted) writer.write(head)
    await writer.pipeFrom(source, { signal: gone.signal })
    if (framing === 'chunked') writer.write(LAST_CHUNK)
    return undefined
  } catch (error) {
    // Where not even the head could be written nobody else closes it; it is not waited for, since it may be busy.
    void source.return().catch(ignore)
    return { error: legible(error), hasLeft: gone.signal.aborted }
  } finally {
    connection.onPeerEnd = undefined
  }
}

function ignore(): void {}
