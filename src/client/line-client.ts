/**
 * Requests and replies of one line each over one connection, first in, first out: what Redis's inline commands,
 * SMTP-like protocols and most device protocols speak.
 *
 * The client owns the reader and the writer of its connection: it always reads, so that it sees the end at
 * once. It knows nothing of what the lines say, repeats no request, and opens no second connection.
 *
 * Invariant: `#sent` has one entry for each reply that is still to come, in the order of the requests, whatever
 * became of who waited for it. A line that comes while it is empty was not asked for.
 */
import { checkTimeout, type WaitOptions } from '../concurrency/abort.js'
import { rejected, unobserved } from '../concurrency/deferred.js'
import { watchUnawaited } from '../concurrency/unawaited.js'
import {
  BrokenError,
  ClosedError,
  DecodeError,
  IncompleteReadError,
  LimitOverrunError,
  SlowConsumerError,
  TimeoutError,
} from '../errors.js'
import { describeAddress, type Connection } from '../protocol/connection.js'
import { madeNow, type LateError } from '../protocol/late-error.js'
import { ReadIterator, toResult } from '../protocol/read-iterator.js'
import { resolveMarks, type StreamWriterOptions } from '../protocol/stream-writer.js'
import { systemClock, type Clock } from '../concurrency/clock.js'
import { EarliestDeadline } from './earliest-deadline.js'
import { openConnection, type OpenConnectionOptions } from './open-connection.js'
import { PendingCall } from './pending-call.js'
import { UnaskedLines } from './unasked-lines.js'

/** How a {@link LineClient} asks. */
export interface LineClientOptions extends Omit<StreamWriterOptions, 'onOverflow'> {
  /** For the reply to a request, from the call on; `Infinity` switches it off. @default 30000 */
  requestTimeoutMs?: number | undefined
  /** So many requests may be sent and unanswered; more wait until replies come. @default 1024 */
  maxInFlight?: number | undefined
  /** So many unasked lines are kept for `unasked()`; then the oldest is dropped. @default 256 */
  maxUnasked?: number | undefined
  /** What ends each line that is sent. Replies may end in either. @default '\n' */
  terminator?: '\n' | '\r\n' | undefined
  /** For `timeoutMs`. @default the clock of the process */
  clock?: Clock | undefined
}

/** What {@link LineClient.open} takes: where to, how, and the options of the client. */
export interface OpenLineClientOptions extends OpenConnectionOptions, LineClientOptions {}

/** Arbitrary, but a server that answers each line needs far fewer to be kept busy over any network. */
const DEFAULT_MAX_IN_FLIGHT = 1024
/** Arbitrary: 16 MiB of lines that are as long as they may be. */
const DEFAULT_MAX_UNASKED = 256
const DEFAULT_REQUEST_TIMEOUT_MS = 30_000
/** What a line that waits to be sent counts on top of its length: a guess at what keeping it costs. */
const KEEPING_BYTES = 32

const NO_OPTIONS: WaitOptions = {}
const DONE = Promise.resolve()

/** A line that waits to be sent, or a request that was sent and waits for its reply. */
class Call extends PendingCall<string> {
  line: string
  readonly wantsReply: boolean

  constructor(line: string, wantsReply: boolean, now: number, timeoutMs: number) {
    super(now, timeoutMs)
    this.line = line
    this.wantsReply = wantsReply
  }
}

/**
 * A client for protocols of one line a request and one line a reply.
 *
 * ```ts
 * await using client = await LineClient.open({ port: 8888 })
 * const replies = await Promise.all([client.request('one'), client.request('two')])
 * ```
 */
export class LineClient {
  /**
   * What is under it: for its addresses, `closed`, and `abort()`. Its reader and its writer belong to the client.
   */
  readonly connection: Connection

  readonly #clock: Clock
  readonly #requestTimeoutMs: number
  readonly #maxInFlight: number
  readonly #terminator: string
  readonly #highMark: number
  readonly #cap: number
  readonly #deadline: EarliestDeadline
  readonly #unasked: UnaskedLines

  /** Requests whose reply is still to come, the one that is next first; settled ones keep their place. */
  readonly #sent: Call[] = []
  /** Lines that are not written yet, in the order of the calls. A Set, since any of them may be withdrawn. */
  readonly #unsent = new Set<Call>()
  #unsentBytes = 0
  /** Requests and sends that are not settled. */
  #outstanding = 0
  #waitsForRoom = false
  #isClosing = false
  /** Why a call is refused now. */
  #refusal: LateError | undefined

  /**
   * Takes over a connection of any kind; nothing else may read from it or write to it from now on. Options that
   * the connection's writer was given (`highWaterMark`, `maxBufferedBytes`) should be given here as well.
   *
   * @throws RangeError, TypeError when an option has no meaning
   */
  constructor(connection: Connection, options: LineClientOptions = {}) {
    const checked = checkOptions(options)
    this.connection = connection
    this.#clock = checked.clock
    this.#requestTimeoutMs = checked.requestTimeoutMs
    this.#maxInFlight = checked.maxInFlight
    this.#terminator = checked.terminator
    this.#highMark = checked.highWaterMark
    this.#cap = checked.maxBufferedBytes
    this.#deadline = new EarliestDeadline(checked.clock, (now) => this.#expire(now))
    this.#unasked = new UnaskedLines(checked.maxUnasked, checked.clock)
    void this.#readReplies()
  }

  /**
   * Connects, and makes a client of the connection.
   *
   * @throws the errors of {@link openConnection}
   */
  static open(options: OpenLineClientOptions): Promise<LineClient> {
    return watchUnawaited(openClient(options), 'LineClient.open()')
  }

  /** How many replies are still to come, those included that nobody waits for any more. */
  get inFlight(): number {
    return this.#sent.length
  }

  /** How many unasked lines were dropped because more than `maxUnasked` were there. */
  get unaskedDropped(): number {
    return this.#unasked.dropped
  }

  /**
   * Sends a line and waits for the line that answers it. Any number of calls at a time: lines go out in the
   * order of the calls, and the replies come back in that order. Up to `maxInFlight` are under way at once; the
   * others wait for their turn, and so do all while the peer takes nothing.
   *
   * A request that is aborted or timed out before its turn is withdrawn, and never sent. One that was sent keeps
   * its place: its reply is thrown away when it comes. A rejection that nobody awaits does not end the process.
   *
   * @throws TimeoutError (phase `call`) after `timeoutMs`, or the client's `requestTimeoutMs`
   * @throws the signal's reason when it aborts
   * @throws DecodeError, LimitOverrunError when the reply is not UTF-8 or longer than the connection's `limit`:
   *   of this call alone, the others are not affected
   * @throws IncompleteReadError when the input ended inside the reply; `partial` has the bytes
   * @throws BrokenError when the peer ended or reset the connection before the reply, and ever after
   * @throws ClosedError after `close()`, or when the connection was closed here
   * @throws SlowConsumerError when lines of `maxBufferedBytes` or more wait for their turn already
   * @throws TypeError when `line` is no string, or has a CR or LF in it
   * @throws RangeError when `timeoutMs` is not a number above 0
   */
  request(line: string, options: WaitOptions = NO_OPTIONS): Promise<string> {
    return watchUnawaited(this.#request(line, options), 'LineClient.request()')
  }

  #request(line: string, options: WaitOptions): Promise<string> {
    try {
      checkCall(line, options)
    } catch (error) {
      return Promise.reject(error)
    }
    if (this.#refusal !== undefined) return this.#refuse()
    const mustWait = this.#unsent.size > 0 || !this.#hasRoom(true)
    if (mustWait && this.#unsentBytes >= this.#cap) return this.#tooMany()
    const { signal, timeoutMs = this.#requestTimeoutMs } = options
    const call = this.#begin(line, true, timeoutMs, signal)
    if (mustWait) this.#enqueue(call)
    else this.#write(call)
    return call.promise
  }

  /**
   * Sends a line that has no reply, in its turn behind the calls before it. Resolves when it was written, so
   * that a loop that awaits it goes no faster than the peer. It does not mean that the peer has it.
   *
   * An abort or a timeout before its turn withdraws it; afterwards it is resolved already. A rejection that
   * nobody awaits does not end the process.
   *
   * @throws TimeoutError (phase `call`) after `timeoutMs`; without one it waits as long as it takes
   * @throws the signal's reason, and the errors of {@link LineClient.request} that do not tell of a reply
   */
  send(line: string, options: WaitOptions = NO_OPTIONS): Promise<void> {
    return watchUnawaited(this.#send(line, options), 'LineClient.send()')
  }

  #send(line: string, options: WaitOptions): Promise<void> {
    try {
      checkCall(line, options)
    } catch (error) {
      return Promise.reject(error)
    }
    if (this.#refusal !== undefined) return this.#refuse()
    if (this.#unsent.size === 0 && this.#hasRoom(false)) {
      try {
        this.#writeLine(line)
      } catch (error) {
        return rejected(error)
      }
      return DONE
    }
    if (this.#unsentBytes >= this.#cap) return this.#tooMany()
    const { signal, timeoutMs = Infinity } = options
    const call = this.#begin(line, false, timeoutMs, signal)
    this.#enqueue(call)
    return unobserved(call.promise.then(ignore))
  }

  /**
   * The lines that came while no reply was due, up to the end of the connection. At most `maxUnasked` are kept;
   * then the oldest is dropped and counted in `unaskedDropped`, and the peer is never held back. Leaving the loop
   * leaves the client open. Several loops share the lines: each goes to one of them. `timeoutMs` bounds the wait
   * for each line.
   *
   * @throws DecodeError, LimitOverrunError, IncompleteReadError in place of a line that cannot be read; a new
   *   loop goes on with the next one
   * @throws BrokenError, TimeoutError, ClosedError after the last line when the connection ended so; the peer's
   *   end and `close()` are a plain end
   * @throws TimeoutError (phase `call`) after `timeoutMs`, and the signal's reason when it aborts
   */
  unasked(options: WaitOptions = NO_OPTIONS): AsyncIterableIterator<string> {
    return new ReadIterator<string>(
      () => undefined,
      () => this.#unasked.take(options).then(toResult<string>),
    )
  }

  /**
   * Ends the client cleanly: calls are refused from now on, those under way get their replies or their
   * deadlines, and then the connection is closed as by `Connection.close()`.
   *
   * Resolves when the socket is gone; never rejects; any number of calls. `connection.abort()` cuts it short.
   */
  close(): Promise<void> {
    this.#refusal ??= clientClosed
    this.#isClosing = true
    this.#closeWhenIdle()
    return this.connection.closed.then(ignore)
  }

  /** The same as `close()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  // ---- sending

  /** Whether a line may be written now: the peer keeps up, and for one with a reply there is a place. */
  #hasRoom(wantsReply: boolean): boolean {
    return !this.#waitsForRoom && (!wantsReply || this.#sent.length < this.#maxInFlight)
  }

  #begin(
    line: string,
    wantsReply: boolean,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Call {
    const call = new Call(line, wantsReply, this.#clock.now(), timeoutMs)
    if (signal !== undefined) {
      call.heed(signal, (reason) => {
        this.#giveUp(call, reason)
        this.#pump()
      })
    }
    this.#outstanding++
    this.#deadline.expect(call.due)
    return call
  }

  #enqueue(call: Call): void {
    this.#unsent.add(call)
    this.#unsentBytes += call.line.length + KEEPING_BYTES
  }

  /** Takes a call out of the queue, if it is in it. */
  #dequeue(call: Call): void {
    if (this.#unsent.delete(call)) this.#unsentBytes -= call.line.length + KEEPING_BYTES
  }

  /** Writes what may be written by now. */
  #pump(): void {
    for (const call of this.#unsent) {
      if (!this.#hasRoom(call.wantsReply)) break
      this.#dequeue(call)
      this.#write(call)
    }
    this.#closeWhenIdle()
  }

  #write(call: Call): void {
    try {
      this.#writeLine(call.line)
    } catch (error) {
      this.#reject(call, error)
      return
    }
    call.line = ''
    if (call.wantsReply) this.#sent.push(call)
    else this.#resolve(call, '')
  }

  #writeLine(line: string): void {
    const { writer } = this.connection
    writer.write(line + this.#terminator)
    if (writer.bufferedBytes <= this.#highMark) return
    this.#waitsForRoom = true
    writer.drain().then(
      () => {
        this.#waitsForRoom = false
        this.#pump()
      },
      // The connection is over, and its reader says so too.
      ignore,
    )
  }

  // ---- receiving

  async #readReplies(): Promise<void> {
    const batches = this.connection.reader.lineBatches({ partial: 'error' })
    let last: unknown
    for (;;) {
      try {
        const { done, value } = await batches.next()
        if (done === true) {
          this.#end(null)
          return
        }
        for (const line of value) this.#take(line)
      } catch (error) {
        // What a line is at fault for comes once; what the stream is at fault for comes again and again.
        if (!isFaultOfLine(error) || error === last) {
          this.#end(error)
          return
        }
        last = error
        this.#take(error)
      }
      this.#pump()
    }
  }

  /** A line came, or the error that stands for one. */
  #take(item: string | Error): void {
    const call = this.#sent.shift()
    if (call === undefined) this.#unasked.put(item)
    else if (typeof item === 'string') this.#resolve(call, item)
    else this.#reject(call, item)
  }

  /** The input is over: by the peer's end (null), or by an error. */
  #end(error: unknown): void {
    const isEof = error === null
    const fault = toError(error)
    this.#refusal ??= isEof ? () => this.#endedByPeer() : fault
    const calls = [...this.#sent, ...this.#unsent].filter((call) => !call.isSettled)
    if (calls.length > 0) {
      const reason = isEof ? this.#endedByPeer() : fault
      for (const call of calls) this.#reject(call, reason)
    }
    this.#sent.length = 0
    this.#unsent.clear()
    this.#unsentBytes = 0
    this.#deadline.stop()
    const isClean = isEof || (this.#isClosing && error instanceof ClosedError)
    this.#unasked.finish(isClean ? null : fault)
    // No reply can come any more, so that nothing is left to do on it.
    void this.connection.close()
  }

  // ---- settling

  #resolve(call: Call, reply: string): void {
    if (call.resolve(reply)) this.#outstanding--
  }

  #reject(call: Call, reason: unknown): void {
    if (call.reject(reason)) this.#outstanding--
  }

  /** Nobody waits for it any more: it is withdrawn when it was not sent, and otherwise keeps its place. */
  #giveUp(call: Call, reason: unknown): void {
    this.#dequeue(call)
    this.#reject(call, reason)
  }

  #expire(now: number): number {
    let soonest = Infinity
    for (const call of [...this.#sent, ...this.#unsent]) {
      if (call.isSettled) continue
      if (call.due <= now) this.#giveUp(call, this.#timedOut(call))
      else soonest = Math.min(soonest, call.due)
    }
    this.#pump()
    return soonest
  }

  #closeWhenIdle(): void {
    if (this.#isClosing && this.#outstanding === 0) void this.connection.close()
  }

  // ---- errors

  #refuse(): Promise<never> {
    if (this.#refusal !== undefined) this.#refusal = madeNow(this.#refusal)
    return rejected(this.#refusal)
  }

  #tooMany(): Promise<never> {
    const advice = 'await replies before asking on'
    return rejected(new SlowConsumerError(this.#unsentBytes, this.#cap, advice))
  }

  #timedOut(call: Call): TimeoutError {
    const { timeoutMs } = call
    const what = this.#unsent.has(call)
      ? `not sent within ${timeoutMs} ms (replies still to come: ${this.#sent.length})`
      : `no reply within ${timeoutMs} ms`
    return new TimeoutError(`${this.#describe()}: ${what}`, 'call', timeoutMs)
  }

  #endedByPeer(): BrokenError {
    return new BrokenError(`${this.#describe()}: the peer has ended it`)
  }

  #describe(): string {
    return `connection to ${describeAddress(this.connection.remote)}`
  }
}

async function openClient(options: OpenLineClientOptions): Promise<LineClient> {
  checkOptions(options)
  return new LineClient(await openConnection(options), options)
}

/** The options with their defaults. @throws RangeError, TypeError */
function checkOptions(options: LineClientOptions) {
  const {
    clock = systemClock,
    requestTimeoutMs = DEFAULT_REQUEST_TIMEOUT_MS,
    maxInFlight = DEFAULT_MAX_IN_FLIGHT,
    maxUnasked = DEFAULT_MAX_UNASKED,
    terminator = '\n',
  } = options
  checkTimeout(requestTimeoutMs, 'requestTimeoutMs')
  checkCount('maxInFlight', maxInFlight, 1)
  checkCount('maxUnasked', maxUnasked, 0)
  if (terminator !== '\n' && terminator !== '\r\n') {
    throw new TypeError(`terminator must be '\\n' or '\\r\\n', not ${JSON.stringify(terminator)}`)
  }
  const { highWaterMark, maxBufferedBytes } = resolveMarks(options)
  return {
    clock,
    requestTimeoutMs,
    maxInFlight,
    maxUnasked,
    terminator,
    highWaterMark,
    maxBufferedBytes,
  }
}

function checkCount(name: string, value: number, min: number): void {
  if (!(value === Infinity || Number.isInteger(value)) || value < min) {
    throw new RangeError(`${name} must be a whole number, ${min} or above, not ${value}`)
  }
}

function checkCall(line: string, { signal, timeoutMs }: WaitOptions): void {
  if (typeof line !== 'string') throw new TypeError(`line must be a string, not ${typeof line}`)
  if (line.includes('\n') || line.includes('\r')) {
    throw new TypeError(`line must be one line, without CR or LF: ${JSON.stringify(line)}`)
  }
  checkTimeout(timeoutMs)
  signal?.throwIfAborted()
}

function isFaultOfLine(error: unknown): error is Error {
  return (
    error instanceof DecodeError ||
    error instanceof LimitOverrunError ||
    error instanceof IncompleteReadError
  )
}

function toError(error: unknown): Error {
  return error instanceof Error
    ? error
    : new ClosedError('the connection is closed', { cause: error })
}

function clientClosed(): Error {
  return new ClosedError('the client is closed')
}

function ignore(): void {}
