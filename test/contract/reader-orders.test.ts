/** A reader that is fed by hand, in every order of what may happen to it, a stop included: up to six events. */
import assert from 'node:assert/strict'
import { expect, test } from 'vitest'
import { IncompleteReadError, TimeoutError } from '../../src/errors.js'
import { StreamReader } from '../../src/protocol/stream-reader.js'
import { loopTurns } from '../../src/testing/fake-clock.js'
import { inAllOrders, type Choose } from '../support/all-orders.js'
import { HeldTimers } from '../support/held-timers.js'

const DEPTH = 6

const WHAT_MAY_HAPPEN = [
  'line',
  'part',
  'end',
  'error',
  'stop',
  'read',
  'abort',
  'deadline',
  '-',
] as const
type Happening = (typeof WHAT_MAY_HAPPEN)[number]

/** What is known of the input, and checked against what the reads give. */
class Input {
  readonly reader: StreamReader
  readonly fault = new Error('the stream broke')
  readonly #timers = new HeldTimers()
  #rest = ''
  #fed = 0
  #end: 'none' | 'end' | 'error' = 'none'
  /** What came behind the cut of a stop; undefined before it. */
  #behind: string | undefined
  #isPartGiven = false
  /** The read that waits, and how it is told to give up. */
  #waiting: AbortController | undefined
  readonly #reason = new Error('enough')
  /** What was found wrong when a read settled. */
  #wrong: unknown

  constructor() {
    this.reader = new StreamReader({ clock: this.#timers })
  }

  /** Whether it makes sense now: what cannot happen, or could not be told from doing nothing, is left out. */
  may(what: Happening): boolean {
    switch (what) {
      case 'read':
        return this.#waiting === undefined
      case 'abort':
      case 'deadline':
        return this.#waiting !== undefined
      case 'stop':
        return this.#behind === undefined
      default:
        return true
    }
  }

  async happen(what: Exclude<Happening, '-'>): Promise<void> {
    if (what === 'line') this.#feed(`${++this.#fed}\n`)
    else if (what === 'part') this.#feed('x')
    else if (what === 'end') this.#endBy('end')
    else if (what === 'error') this.#endBy('error')
    else if (what === 'stop') this.#stop()
    else if (what === 'read') this.read()
    else if (what === 'abort') this.#waiting?.abort(this.#reason)
    else await this.#passTime()
    await jobs()
    this.#check()
  }

  /** Begins a read; what it gives is compared with the input when it settles. */
  read(): void {
    const giveUp = new AbortController()
    this.#waiting = giveUp
    const before = this.reader.bufferedBytes
    this.reader
      .readLine({ signal: giveUp.signal, timeoutMs: 1000 })
      .then(
        (line) => {
          this.#waiting = undefined
          this.#took(line)
        },
        (error: unknown) => {
          this.#waiting = undefined
          this.#refused(error, before)
        },
      )
      .catch((wrong: unknown) => {
        this.#wrong ??= wrong
      })
  }

  /** Ends it, and reads on to its end. */
  async finish(): Promise<void> {
    this.#endBy('end')
    await jobs()
    assert.equal(this.#waiting, undefined)
    for (let reads = 0; reads <= DEPTH + 2; reads++) {
      this.read()
      await jobs()
      assert.equal(this.#waiting, undefined)
    }
    if (this.#end === 'end' && this.#behind === undefined) assert.equal(this.#rest, '')
    assert.ok(!this.#rest.includes('\n'))
    if (this.#wrong !== undefined) throw this.#wrong
    assert.equal(this.#timers.pending, 0)
  }

  async #passTime(): Promise<void> {
    this.#timers.nowMs += 1000
    this.#timers.fire()
    // A deadline first hears what came in the meantime.
    await loopTurns(1)
  }

  #feed(text: string): void {
    this.reader.feedData(Buffer.from(text))
    if (this.#end !== 'none') return
    if (this.#behind === undefined) this.#rest += text
    else this.#behind += text
  }

  /** Lines end behind the last one that is whole by now; what has ended already is not cut. */
  #stop(): void {
    this.reader.cut()
    if (this.#end === 'none') this.#behind = ''
  }

  #endBy(how: 'end' | 'error'): void {
    if (how === 'end') this.reader.feedEof()
    else this.reader.setError(this.fault)
    if (this.#end === 'none') this.#end = how
  }

  #took(line: string | null): void {
    if (line === null) {
      if (this.#behind === undefined) assert.deepEqual([this.#rest, this.#end], ['', 'end'])
      else assert.deepEqual([this.#rest.includes('\n'), this.#end === 'error'], [false, false])
      assert.equal(this.reader.endedBy, this.#behind === undefined ? 'peer' : 'stop')
      return
    }
    assert.equal(this.#rest.slice(0, line.length + 1), `${line}\n`)
    this.#rest = this.#rest.slice(line.length + 1)
  }

  #refused(error: unknown, before: number): void {
    if (error === this.fault) {
      assert.equal(this.#end, 'error')
      assert.ok(!this.#rest.includes('\n'))
    } else if (error instanceof IncompleteReadError) {
      assert.deepEqual([this.#end, this.#isPartGiven], ['end', false])
      assert.equal(error.partial.toString(), this.#rest)
      this.#isPartGiven = true
      this.#rest = ''
    } else {
      // It gave up, and has taken nothing.
      assert.equal(error === this.#reason || error instanceof TimeoutError, true)
      assert.ok(this.reader.bufferedBytes >= before)
    }
  }

  /** Nobody waits for what is there, and what is there is what was fed and not taken. */
  #check(): void {
    if (this.#wrong !== undefined) throw this.#wrong
    if (this.#waiting !== undefined) {
      assert.deepEqual(
        [this.#rest.includes('\n'), this.#end, this.#behind],
        [false, 'none', undefined],
      )
    }
    const left = this.#rest + (this.#behind ?? '')
    if (this.#end !== 'error') assert.equal(this.reader.bufferedBytes, left.length)
    assert.equal(this.reader.atEof, this.#end === 'end' && left === '')
  }
}

async function jobs(): Promise<void> {
  for (let job = 0; job < 5; job++) await Promise.resolve()
}

async function play(choose: Choose): Promise<void> {
  const input = new Input()
  for (let step = 0; step < DEPTH; step++) {
    const what = choose(WHAT_MAY_HAPPEN.filter((one) => input.may(one)))
    if (what === '-') break
    await input.happen(what)
  }
  await input.finish()
}

test('StreamReader loses no byte, gives none twice and leaves no read waiting, in every order of six events', async () => {
  expect(await inAllOrders(play)).toBe(49_299)
}, 60_000)
