/** A writer whose transport takes a write when it is told to, in every order of what may happen to it. */
import assert from 'node:assert/strict'
import { expect, test } from 'vitest'
import { BrokenError, ClosedError, TimeoutError } from '../../src/errors.js'
import { loopTurns } from '../../src/testing/fake-clock.js'
import { inAllOrders, type Choose } from '../support/all-orders.js'
import { makeWriter } from '../support/made-writer.js'
import { watch, type Watched } from '../support/settled.js'
import { thrownBy } from '../support/thrown-by.js'

const DEPTH = 6
const PIECE = 3

const WHAT_MAY_HAPPEN = [
  'write',
  'drain',
  'flush',
  'take',
  'abort',
  'deadline',
  'writeEof',
  'close',
  'break',
  '-',
] as const
type Happening = (typeof WHAT_MAY_HAPPEN)[number]

interface Wait {
  readonly watched: Watched<void>
  /** How many bytes were accepted when it began; a drain has none that it waits for. */
  readonly flushedAt: number | undefined
  readonly giveUp: AbortController
}

class Output {
  // The second write passes the high mark; only an empty buffer is below the low one.
  readonly #made = makeWriter({ highWaterMark: PIECE, lowWaterMark: 0, maxBufferedBytes: 1000 })
  readonly #fault = new BrokenError('the network is gone')
  readonly #reason = new Error('enough')
  #accepted = ''
  #hasEnded = false
  #hasClosed = false
  #hasBroken = false
  readonly #waits: Wait[] = []

  constructor() {
    this.#made.transport.isHeld = true
  }

  may(what: Happening): boolean {
    if (what === 'take') return this.#made.transport.writableLength > 0
    if (what === 'abort' || what === 'deadline') return this.#pending.length > 0
    if (what === 'writeEof') return !this.#hasEnded
    if (what === 'close') return !this.#hasClosed
    if (what === 'break') return !this.#hasBroken
    return true
  }

  get #pending(): Wait[] {
    return this.#waits.filter(({ watched }) => watched.state === 'pending')
  }

  async happen(what: Exclude<Happening, '-'>): Promise<void> {
    const { writer, transport, clock } = this.#made
    switch (what) {
      case 'write':
        this.#write()
        break
      case 'drain':
      case 'flush': {
        const giveUp = new AbortController()
        const flushedAt = what === 'flush' ? this.#accepted.length : undefined
        const promise = writer[what]({ signal: giveUp.signal, timeoutMs: 1000 })
        this.#waits.push({ watched: watch(promise), flushedAt, giveUp })
        break
      }
      case 'take':
        transport.take()
        break
      case 'abort':
        this.#pending[0]?.giveUp.abort(this.#reason)
        break
      case 'deadline':
        await clock.advance(1000)
        break
      case 'writeEof':
        if (!writer.isClosing) writer.writeEof()
        else assert.equal(this.#hasClosed || this.#hasBroken, true)
        this.#hasEnded = true
        break
      case 'close':
        writer.finish(() => new ClosedError('closed'))
        this.#hasClosed = true
        break
      case 'break':
        writer.fail(this.#fault)
        this.#hasBroken = true
        break
    }
    await loopTurns(1)
    this.#check()
  }

  /** The transport takes all, and nothing is left. */
  async finish(): Promise<void> {
    const { writer, transport, told } = this.#made
    transport.release()
    for (let turn = 0; turn < 4; turn++) {
      await loopTurns(1)
      transport.release()
    }
    writer.finish(() => new ClosedError('closed'))
    this.#hasClosed = true
    await loopTurns(2)
    this.#check()
    assert.deepEqual(this.#pending, [])
    // Within its turn a write has not left yet; otherwise all that was accepted has, and the end behind it, once.
    if (!this.#hasBroken) {
      assert.equal(transport.bytes.toString(), this.#accepted)
      assert.equal(transport.sent.filter((one) => one === 'end').length, 1)
      assert.equal(transport.sent.at(-1), 'end')
      assert.equal(told.filter((one) => one === 'allSent').length, 1)
    }
    assert.ok(told.filter((one) => one === 'localEnds').length <= 1)
  }

  #write(): void {
    const { writer } = this.#made
    const piece = `${this.#accepted.length / PIECE}`.padStart(PIECE, '.')
    if (writer.isClosing) {
      const refusal = thrownBy(() => writer.write(piece))
      assert.equal(refusal instanceof ClosedError || refusal === this.#fault, true)
    } else {
      writer.write(piece)
      this.#accepted += piece
    }
  }

  #check(): void {
    const { writer, transport } = this.#made
    const sent = transport.bytes.toString()
    assert.equal(this.#accepted.startsWith(sent), true)
    assert.equal(writer.isClosing, this.#hasEnded || this.#hasClosed || this.#hasBroken)
    const taken = sent.length - transport.writableLength
    if (!writer.isSpent && !this.#hasBroken) {
      assert.equal(writer.flushedBytes, taken)
      assert.equal(writer.bufferedBytes, this.#accepted.length - taken)
    }
    for (const { watched, flushedAt } of this.#waits) {
      const { state, error } = watched
      if (state === 'pending') {
        assert.equal(this.#hasBroken && !writer.isSpent, false)
        assert.ok(writer.bufferedBytes > 0)
      } else if (state === 'resolved') {
        if (flushedAt !== undefined) assert.ok(taken >= flushedAt)
      } else {
        const isExpected =
          error === this.#reason ||
          error === this.#fault ||
          error instanceof TimeoutError ||
          error instanceof ClosedError
        assert.equal(isExpected, true)
      }
    }
  }
}

async function play(choose: Choose): Promise<void> {
  const output = new Output()
  for (let step = 0; step < DEPTH; step++) {
    const what = choose(WHAT_MAY_HAPPEN.filter((one) => output.may(one)))
    if (what === '-') break
    await output.happen(what)
  }
  await output.finish()
}

test('StreamWriter sends what it accepts, in order and once, and leaves nobody waiting, in every order of six events', async () => {
  expect(await inAllOrders(play)).toBe(32_083)
}, 60_000)
