/** A transport without a peer: it writes down what it is asked for, and takes writes when the test says so. */
import { EventEmitter } from 'node:events'
import type { Transport } from '../../src/protocol/transport.js'

type WriteDone = (error?: Error | null) => void

interface HeldWrite {
  readonly size: number
  readonly done: WriteDone
}

export class FakeTransport extends EventEmitter implements Transport {
  /** What each write had, as bytes; `end` for the FIN. */
  readonly sent: (Buffer | 'end')[] = []
  /** Every other call, in order. */
  readonly calls: string[] = []
  /** Whether writes wait for `take()`, as with a peer that does not read. */
  isHeld = false
  destroyed = false
  writableLength = 0
  readonly #held: HeldWrite[] = []

  /** As a socket whose kernel buffer has room: all is taken at once, and the callback comes later in the turn. */
  write(data: string | Uint8Array, ...rest: unknown[]): boolean {
    const done = rest.pop() as WriteDone
    const [encoding] = rest as ['utf8' | 'latin1' | undefined]
    const bytes = typeof data === 'string' ? Buffer.from(data, encoding) : Buffer.from(data)
    this.sent.push(bytes)
    if (this.isHeld) {
      this.writableLength += bytes.length
      this.#held.push({ size: bytes.length, done })
      return false
    }
    process.nextTick(done)
    return true
  }

  /** Takes the oldest write that waits, or fails it. */
  take(error?: Error): void {
    const held = this.#held.shift()
    if (held === undefined) throw new Error('no write waits')
    this.writableLength -= held.size
    held.done(error ?? null)
  }

  /** Takes all that waits and all that comes. */
  release(): void {
    this.isHeld = false
    while (this.#held.length > 0) this.take()
  }

  /** Everything that was written, in one piece. */
  get bytes(): Buffer {
    return Buffer.concat(this.sent.filter((one) => one !== 'end'))
  }

  end(): void {
    this.sent.push('end')
  }

  pause(): void {
    this.calls.push('pause')
  }

  resume(): void {
    this.calls.push('resume')
  }

  destroy(): void {
    this.calls.push('destroy')
    this.destroyed = true
  }

  resetAndDestroy(): void {
    this.calls.push('resetAndDestroy')
    this.destroyed = true
  }
}
