/**
 * The connections that have said their last byte and wait for the peer's: all of the process, oldest first.
 *
 * A socket that is closed with unread input resets, and the reply in flight is lost; so the input of a closed
 * connection is thrown away until the peer ends. This file bounds how many do so at once. It knows nothing of
 * their deadlines.
 */
import { LinkedList, type Linked } from '../concurrency/linked-list.js'

/** How many may linger at once; beyond that the oldest is ended. */
const MAX_LINGERING = 256

/** One that lingers. */
export class Linger implements Linked<Linger> {
  previous: Linger | undefined
  next: Linger | undefined
  readonly #end: () => void

  /** @param end Ends it at once. */
  constructor(end: () => void) {
    this.#end = end
  }

  /** Lets it linger; ends the oldest when there are too many. */
  begin(): void {
    lingering.push(this)
    if (lingering.size <= MAX_LINGERING) return
    const oldest = lingering.first as Linger
    oldest.leave()
    oldest.#end()
  }

  /** It has ended by itself. */
  leave(): void {
    lingering.remove(this)
  }
}

const lingering = new LinkedList<Linger>()
