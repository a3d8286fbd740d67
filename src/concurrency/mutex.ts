/** One at a time: a semaphore of one. What may be held is the permit, which {@link Condition} can lend. */
import { Semaphore, type WaitingOptions } from './semaphore.js'

/**
 * A lock, first come, first served (asyncio.Lock). It does not belong to a task: whoever has the permit can
 * release it, and a holder that acquires it again waits for itself.
 *
 * ```ts
 * const mutex = new Mutex()
 * await mutex.use(async () => {
 *   await writeBoth()
 * })
 * ```
 */
export class Mutex extends Semaphore {
  constructor(options?: WaitingOptions) {
    super(1, options)
  }
}
