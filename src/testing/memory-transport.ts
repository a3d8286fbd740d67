/**
 * Two transports joined in memory, which do what two TCP sockets of node:net do, without a network.
 *
 * Each direction has a bounded "kernel buffer": a write that does not fit waits, in parts, until the other
 * end reads. Everything that arrives (data, FIN, RST) does so on a later turn of the loop, one chunk a turn.
 * No timers, no randomness: what a test sees depends on its calls alone.
 *
 * Where node:net differs from version to version or from run to run, this takes the harsher course:
 * a reset destroys what was not delivered yet, closing with unread input always resets, and the write that
 * was in flight at a destroy calls back without an error (Node 20 does so; later ones say ECANCELED).
 */
import { EventEmitter } from 'node:events'
import type { Transport } from '../protocol/transport.js'
import { KernelBuffer } from './kernel-buffer.js'
import type {
  MemoryAddress,
  MemoryOperation,
  MemoryTransportOptions,
} from './memory-transport-options.js'

export {
  failNth,
  type MemoryAddress,
  type MemoryOperation,
  type MemoryTransportOptions,
} from './memory-transport-options.js'

/** Node's default: what libuv reads at once. */
const MAX_CHUNK_BYTES = 64 * 1024
const DEFAULT_BUFFER_BYTES = 64 * 1024
/** From here on `write` returns false; the figure is Node 22's. */
const HIGH_WATER_MARK = 64 * 1024

interface PendingWrite {
  readonly bytes: Uint8Array
  taken: number
  readonly done: WriteDone
}

type WriteDone = (error?: Error | null) => void

interface Side {
  readonly index: 0 | 1
  readonly bufferBytes: number
  readonly cut: (available: number) => number
  readonly intercept: (name: MemoryOperation['name']) => string | undefined
  readonly local: MemoryAddress | undefined
  readonly remote: MemoryAddress | undefined
}

/** One end of a pair that {@link memoryTransportPair} made: a {@link Transport} without a socket. */
export class MemoryTransport extends EventEmitter implements Transport {
  readonly localAddress: string | undefined
  readonly localPort: number | undefined
  readonly remoteAddress: string | undefined
  readonly remotePort: number | undefined

  readonly #side: Side
  /** What the peer handed over and we did not read yet. */
  readonly #inbox: KernelBuffer
  #peer!: MemoryTransport
  /** Undefined until someone listens, resumes or pauses: as with streams, a first listener resumes. */
  #flowing: boolean | undefined
  #deliveryScheduled = false
  #finArrived = false
  #resetArrived = false
  /** Whether the next read finds the reset. */
  #isReadBroken = false
  /** Whether only a resume lets it. */
  #isBlind = false
  #endEmitted = false

  #pending: PendingWrite[] = []
  #writableLength = 0
  #ending = false
  #finSent = false
  /** Whether all is handed over and the FIN goes out at the end of this turn. */
  #shuttingDown = false
  #finished = false
  #destroyed = false

  constructor(side: Side) {
    super()
    this.#side = side
    this.#inbox = new KernelBuffer(side.bufferBytes)
    this.localAddress = side.local?.host
    this.localPort = side.local?.port
    this.remoteAddress = side.remote?.host
    this.remotePort = side.remote?.port
  }

  /**
   * Joins two new ends.
   * @internal
   */
  static join(first: MemoryTransport, second: MemoryTransport): void {
    first.#peer = second
    second.#peer = first
  }

  get destroyed(): boolean {
    return this.#destroyed
  }

  /** Bytes of the writes that are not handed over whole: as on a socket it stands still during a big write. */
  get writableLength(): number {
    return this.#writableLength
  }

  get writableFinished(): boolean {
    return this.#finished
  }

  /** Bytes that the peer handed over and this end did not read yet: a test's look into the kernel. */
  get unreadLength(): number {
    return this.#inbox.length
  }

  /** Whether this end is reading: resumed and not paused since. */
  get isFlowing(): boolean {
    return this.#flowing === true
  }

  /** Lets nothing more through from this end until {@link unclog}; what is under way still arrives. */
  clog(): this {
    this.#peer.#inbox.clogged = true
    return this
  }

  /** Ends {@link clog}; what waited goes on. */
  unclog(): this {
    this.#peer.#inbox.clogged = false
    this.#handOver()
    return this
  }

  override on(event: string, listener: (...args: never[]) => void): this {
    super.on(event, listener as (...args: unknown[]) => void)
    if (event === 'data' && this.#flowing === undefined) this.resume()
    return this
  }

  override addListener(event: string, listener: (...args: never[]) => void): this {
    return this.on(event, listener)
  }

  pause(): this {
    this.#flowing = false
    return this
  }

  resume(): this {
    this.#flowing = true
    this.#isBlind = false
    this.#scheduleDelivery()
    return this
  }

  write(data: string, encoding: BufferEncoding, done: WriteDone): boolean
  write(data: Uint8Array, done: WriteDone): boolean
  write(data: string | Uint8Array, encodingOrDone: BufferEncoding | WriteDone, last?: WriteDone) {
    const done = typeof encodingOrDone === 'function' ? encodingOrDone : (last ?? ignore)
    const bytes =
      typeof data === 'string' ? Buffer.from(data, encodingOrDone as BufferEncoding) : data
    const refusal = this.#refuseWrite()
    if (refusal !== undefined) {
      process.nextTick(done, refusal)
      this.destroy(refusal)
      return false
    }
    this.#pending.push({ bytes, taken: 0, done })
    this.#writableLength += bytes.length
    this.#handOver()
    return this.#writableLength < HIGH_WATER_MARK
  }

  end(): this {
    if (this.#ending || this.#destroyed) return this
    this.#ending = true
    this.#handOver()
    return this
  }

  destroy(error?: Error): this {
    // What the peer could not hand over yet would arrive at a socket that is gone: that resets as well.
    this.#tearDown(error, this.#inbox.length > 0 || this.#peer.#pending.length > 0)
    return this
  }

  /**
   * While the FIN is on its way out (`writableFinished` tells) it goes wrong as on node:net: an EINVAL, the
   * transport is destroyed, and no `close` follows.
   *
   * @throws where `intercept` makes the reset fail, as on a Unix socket.
   */
  resetAndDestroy(): this {
    if (this.#destroyed) return this
    const code = this.#side.intercept('reset')
    if (code !== undefined) throw systemError(code, 'reset')
    if (this.#shuttingDown) {
      this.#destroyed = true
      this.#sendFin()
      process.nextTick(() => this.emit('error', systemError('EINVAL', 'reset')))
      return this
    }
    this.#tearDown(undefined, true)
    return this
  }

  #refuseWrite(): Error | undefined {
    if (this.#destroyed) {
      return codedError('ERR_STREAM_DESTROYED', 'Cannot call write after a stream was destroyed')
    }
    if (this.#ending) return codedError('ERR_STREAM_WRITE_AFTER_END', 'write after end')
    if (this.#resetArrived) return this.#resetError('write')
    const code = this.#side.intercept('write')
    return code === undefined ? undefined : systemError(code, 'write')
  }

  /** Moves what is pending into the peer's kernel buffer, as far as it fits; then the FIN, if it is its turn. */
  #handOver(): void {
    if (this.#destroyed) return
    const peer = this.#peer
    const inbox = peer.#inbox
    const before = inbox.length
    // After a reset what is pending stays so until the reset is found; only an end still takes its course.
    while (!this.#resetArrived) {
      const [write] = this.#pending
      if (write === undefined) break
      if (peer.#destroyed) {
        // The kernel takes bytes for a receiver that is gone, and the answer to them is a reset.
        if (write.bytes.length > 0) this.#receiveReset()
        write.taken = write.bytes.length
      } else {
        write.taken += inbox.put(write.bytes.subarray(write.taken))
      }
      if (write.taken < write.bytes.length) break
      this.#pending.shift()
      this.#writableLength -= write.bytes.length
      process.nextTick(write.done, null)
    }
    if (inbox.length > before) peer.#scheduleDelivery()
    if (this.#ending && !this.#isShut && this.#pending.length === 0) this.#shutDown()
  }

  #shutDown(): void {
    const code = this.#side.intercept('shutdown')
    if (code !== undefined) {
      this.destroy(systemError(code, 'shutdown'))
      return
    }
    this.#shuttingDown = true
    setImmediate(() => {
      this.#shuttingDown = false
      if (this.#destroyed) return
      this.#finished = true
      this.#sendFin()
      this.#closeWhenBothEnded()
    })
  }

  get #isShut(): boolean {
    return this.#shuttingDown || this.#finSent
  }

  #sendFin(): void {
    this.#finSent = true
    this.#peer.#finArrived = true
    this.#peer.#scheduleDelivery()
  }

  /**
   * What is unread is lost. Who finds out, and when, follows node:net: a read does, unless the socket is paused
   * and full, or has come to the peer's FIN, behind which it reads no more; the next write always does.
   */
  #receiveReset(): void {
    if (this.#destroyed) return
    this.#resetArrived = true
    this.#isReadBroken = !this.#finArrived || this.#inbox.length > 0
    this.#isBlind = this.#flowing === false && this.#inbox.length >= this.#inbox.capacity
    this.#inbox.clear()
    this.#scheduleDelivery()
  }

  #scheduleDelivery(): void {
    if (this.#deliveryScheduled || this.#destroyed) return
    this.#deliveryScheduled = true
    setImmediate(() => {
      this.#deliveryScheduled = false
      if (!this.#destroyed) this.#deliver()
    })
  }

  #deliver(): void {
    if (this.#resetArrived && this.#pending.length > 0) {
      this.destroy(this.#resetError('write'))
    } else if (this.#isReadBroken && !this.#isBlind) {
      this.destroy(this.#resetError('read'))
    } else if (this.#flowing !== true) {
      return
    } else if (this.#inbox.length > 0) {
      this.#deliverData()
    } else if (this.#finArrived && !this.#endEmitted) {
      this.#endEmitted = true
      this.emit('end')
      this.#closeWhenBothEnded()
    }
  }

  #resetError(syscall: 'read' | 'write'): Error {
    // Linux: a broken pipe for who has the peer's FIN already.
    return systemError(this.#finArrived && syscall === 'write' ? 'EPIPE' : 'ECONNRESET', syscall)
  }

  #deliverData(): void {
    const code = this.#side.intercept('read')
    if (code !== undefined) {
      this.destroy(systemError(code, 'read'))
      return
    }
    const available = Math.min(this.#inbox.length, MAX_CHUNK_BYTES)
    const wanted = Math.trunc(this.#side.cut(available))
    const chunk = this.#inbox.take(Math.min(Math.max(wanted, 1), available))
    this.#peer.#handOver()
    // Asked for before the listener runs: whatever the listener puts off by one turn comes after the next chunk.
    if (this.#inbox.length > 0 || this.#finArrived) this.#scheduleDelivery()
    this.emit('data', chunk)
  }

  #closeWhenBothEnded(): void {
    if (this.#endEmitted && this.#finished) this.#tearDown(undefined, false)
  }

  /** The one way to `close`. What the peer sees of it: a reset, or a FIN after what was handed over. */
  #tearDown(error: Error | undefined, withReset: boolean): void {
    if (this.#destroyed) return
    this.#destroyed = true
    this.#inbox.clear()
    if (withReset) this.#peer.#receiveReset()
    else if (!this.#finSent && !this.#resetArrived) this.#sendFin()
    this.#peer.#handOver()

    const [inFlight, ...queued] = this.#pending
    this.#pending = []
    this.#writableLength = 0
    if (error !== undefined) process.nextTick(() => this.emit('error', error))
    const reason =
      error ?? codedError('ERR_STREAM_DESTROYED', 'Cannot call write after a stream was destroyed')
    for (const write of queued) process.nextTick(write.done, reason)
    setImmediate(() => {
      inFlight?.done(null)
      this.emit('close', error !== undefined)
    })
  }
}

/**
 * Makes two transports joined in memory: what one writes the other receives.
 *
 * @throws RangeError for a `bufferBytes` that is not a number of bytes above 0.
 */
export function memoryTransportPair(
  options: MemoryTransportOptions = {},
): [MemoryTransport, MemoryTransport] {
  const { bufferBytes = DEFAULT_BUFFER_BYTES, cut = whole, addresses } = options
  const [forth, back] = typeof bufferBytes === 'number' ? [bufferBytes, bufferBytes] : bufferBytes
  checkBufferBytes(forth)
  checkBufferBytes(back)

  let operations = 0
  const makeSide = (index: 0 | 1, inboxBytes: number): Side => ({
    index,
    bufferBytes: inboxBytes,
    cut,
    intercept: (name) => options.intercept?.({ side: index, name, nth: ++operations }),
    local: addresses?.[index],
    remote: addresses?.[index === 0 ? 1 : 0],
  })
  const first = new MemoryTransport(makeSide(0, back))
  const second = new MemoryTransport(makeSide(1, forth))
  MemoryTransport.join(first, second)
  if (options.clogged === true) {
    first.clog()
    second.clog()
  }
  return [first, second]
}

function checkBufferBytes(bytes: number): void {
  if (!Number.isInteger(bytes) || bytes < 1) {
    throw new RangeError(`bufferBytes must be a whole number of bytes above 0, not ${bytes}`)
  }
}

function systemError(code: string, syscall: string): Error {
  return Object.assign(new Error(`${syscall} ${code}`), { code, syscall })
}

function codedError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}

function whole(available: number): number {
  return available
}

function ignore(): void {}
