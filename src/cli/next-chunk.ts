/** The input of a session, chunk by chunk, and no longer waited for when there is nobody left to send it to. */
import { onAbort } from '../concurrency/abort.js'
import { InputError } from './stdio.js'

/**
 * When the peer has ended, what stdin has at hand is still taken, since the peer may have ended one half only
 * and be taking an upload. A stdin that gives nothing for so long is not waited for.
 */
const INPUT_LULL_MS = 200

/**
 * The next chunk; undefined at the end of the input, or when the peer has ended and none comes for a while.
 * @throws InputError
 */
export function nextChunk(
  chunks: AsyncIterator<Buffer>,
  peerEnds: AbortSignal,
): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    let lull: NodeJS.Timeout | undefined
    const waitNoLonger = (): void => {
      lull = setTimeout(() => {
        resolve(undefined)
      }, INPUT_LULL_MS)
    }
    const stopListening = onAbort(peerEnds, waitNoLonger)
    if (peerEnds.aborted) waitNoLonger()
    const settle = (): void => {
      stopListening()
      clearTimeout(lull)
    }
    chunks.next().then(
      (next) => {
        settle()
        resolve(next.done === true ? undefined : next.value)
      },
      (error: unknown) => {
        settle()
        reject(new InputError(error))
      },
    )
  })
}
