/**
 * One direction of a memory connection as the kernel keeps it: a bounded queue of bytes between the end
 * that writes and the end that reads.
 *
 * It copies what it takes, takes no more than it has room for, and knows nothing of FIN, RST or events.
 * Invariant: `length` never passes `capacity`, and the work is linear in the bytes.
 */
export class KernelBuffer {
  /** How many bytes it holds at most. */
  readonly capacity: number
  /** While true it takes nothing: a network that stands still. What is inside can still be read. */
  clogged = false
  #chunks: Buffer[] = []
  #length = 0

  constructor(capacity: number) {
    this.capacity = capacity
  }

  /** The bytes inside. */
  get length(): number {
    return this.#length
  }

  /** Copies the head of `bytes` as far as there is room, and gives back how many bytes that were. */
  put(bytes: Uint8Array): number {
    const room = this.clogged ? 0 : this.capacity - this.#length
    const taken = Math.min(room, bytes.length)
    if (taken > 0) {
      this.#chunks.push(Buffer.from(bytes.subarray(0, taken)))
      this.#length += taken
    }
    return taken
  }

  /** Removes the oldest `count` bytes, or all where there are fewer. */
  take(count: number): Buffer {
    const taken: Buffer[] = []
    let missing = Math.min(count, this.#length)
    this.#length -= missing
    let index = 0
    while (missing > 0) {
      const chunk = this.#chunks[index]
      if (chunk === undefined) break
      if (chunk.length > missing) {
        taken.push(chunk.subarray(0, missing))
        this.#chunks[index] = chunk.subarray(missing)
        break
      }
      taken.push(chunk)
      missing -= chunk.length
      index++
    }
    this.#chunks.splice(0, index)
    const [only] = taken
    return only !== undefined && taken.length === 1 ? only : Buffer.concat(taken)
  }

  /** Forgets everything inside. */
  clear(): void {
    this.#chunks = []
    this.#length = 0
  }
}
