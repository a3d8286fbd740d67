/**
 * Between a source that should not wait and an output that is slow: holds in memory what the output has not taken
 * yet, up to a cap, so that whoever sends is not held up by a person who pages through what has come.
 *
 * It drops nothing and reorders nothing. Only at the cap does a write wait.
 *
 * Invariant: while anything is stored and the output has not failed, exactly one `#run` is under way.
 */
import { deferred, type Deferred } from '../concurrency/deferred.js'
import { ReceiveBuffer } from '../protocol/receive-buffer.js'
import type { Output } from './stdio.js'

/** What `connect` holds for a slow stdout before it stops reading from the peer. */
const DEFAULT_MAX_BYTES = 16 * 1024 * 1024

/** What goes to the output at once: as much as a pipe of Linux holds. */
const BLOCK_BYTES = 64 * 1024

export interface SpoolOptions {
  /** A write waits while so many bytes or more are stored. @default 16 MiB */
  maxBytes?: number
}

/** An output that takes up to `maxBytes` more than `output` does. */
export class Spool implements Output {
  readonly #output: Output
  readonly #maxBytes: number
  readonly #stored = new ReceiveBuffer()
  /** Runs while anything is stored; never rejects. */
  #pump: Promise<void> | undefined
  #hasFailed = false
  /** Whoever waits for room. */
  #room: Deferred | undefined

  constructor(output: Output, { maxBytes = DEFAULT_MAX_BYTES }: SpoolOptions = {}) {
    this.#output = output
    this.#maxBytes = maxBytes
  }

  get failure(): Promise<never> {
    return this.#output.failure
  }

  write(chunk: Uint8Array | string): Promise<void> {
    if (this.#hasFailed) return this.failure
    if (chunk.length === 0) return Promise.resolve()
    this.#stored.push(toBuffer(chunk))
    this.#pump ??= this.#run()
    if (this.#stored.size < this.#maxBytes) return Promise.resolve()
    this.#room ??= deferred()
    return this.#room.promise
  }

  async flush(): Promise<void> {
    await this.#pump
    await this.#output.flush()
  }

  async #run(): Promise<void> {
    try {
      while (this.#stored.size > 0) {
        const block = this.#stored.takeBlock(BLOCK_BYTES)
        if (this.#stored.size < this.#maxBytes) this.#makeRoom()
        await this.#output.write(block)
      }
      this.#pump = undefined
    } catch (error) {
      // What is stored has nowhere to go, and `failure` tells it to whoever does not write just now.
      this.#hasFailed = true
      this.#stored.clear()
      this.#room?.reject(error)
    }
  }

  #makeRoom(): void {
    this.#room?.resolve()
    this.#room = undefined
  }
}

/** The same memory, so that what is written must not be changed afterwards. */
function toBuffer(chunk: Uint8Array | string): Buffer {
  if (typeof chunk === 'string') return Buffer.from(chunk)
  return Buffer.isBuffer(chunk)
    ? chunk
    : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
}
