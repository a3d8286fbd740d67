/**
 * The connections that have said their last byte and wait for the peer's: all of the process, oldest first.
 *
 * A socket that is closed with unread input resets, and the reply in flight is lost; so the input of a closed
 * connection is thrown away until the peer ends. This file bounds how many do so at once. It knows nothing of
 * their deadlines.
 */

/** How many may linger at once; beyond that the oldest is ended. */
const MAX_LINGERING = 256

/** Something that lingers. */
export interface Lingerer {
  /** Ends it at once. */
  endLinger(): void
}

const lingering = new Set<Lingerer>()

/** Lets one linger; ends the oldest when there are too many. */
export function beginLinger(one: Lingerer): void {
  lingering.add(one)
  if (lingering.size <= MAX_LINGERING) return
  for (const oldest of lingering) {
    lingering.delete(oldest)
    oldest.endLinger()
    return
  }
}

/** It has ended by itself. */
export function leaveLinger(one: Lingerer): void {
  lingering.delete(one)
}
