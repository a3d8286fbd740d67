import { describe, expect, onTestFinished, test, vi } from 'vitest'
import {
  CLIENT_DEADLINES,
  Deadlines,
  LINGER_SILENCE_MS,
  LINGER_TOTAL_MS,
  resolveDeadlines,
  SERVER_DEADLINES,
  type DeadlineLimits,
} from '../../src/protocol/deadlines.js'
import { lengthPrefixFraming } from '../../src/protocol/length-prefix-framing.js'
import { StreamReader } from '../../src/protocol/stream-reader.js'
import { MAX_TIMER_MS, systemClock, type Clock } from '../../src/concurrency/clock.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { attachHost, feed } from '../support/fed-reader.js'
import { makeWriter } from '../support/made-writer.js'
import { rejection, watch } from '../support/settled.js'

const LIMITS: DeadlineLimits = {
  firstByteMs: 5_000,
  messageMs: 1_000,
  idleMs: 3_000,
  writeStallMs: 2_000,
  halfClosedMs: 4_000,
}

const OFF: DeadlineLimits = CLIENT_DEADLINES

/** A fake clock that counts its timers, and can do something right after one has fired. */
class CountingClock extends FakeClock {
  set = 0
  mostPending = 0
  longestMs = Infinity
  afterFiring: (() => void) | undefined

  override setTimeout(callback: () => void, delayMs: number): unknown {
    this.set++
    const timer = super.setTimeout(
      () => {
        callback()
        this.afterFiring?.()
      },
      Math.min(delayMs, this.longestMs),
    )
    this.mostPending = Math.max(this.mostPending, this.pendingTimers)
    return timer
  }
}

interface Made {
  readonly deadlines: Deadlines
  readonly clock: CountingClock
  /** Which deadlines passed, each with its time and its length. */
  readonly passed: string[]
}

function makeDeadlines(limits: Partial<DeadlineLimits> = {}, base = OFF): Made {
  const clock = new CountingClock()
  const passed: string[] = []
  const deadlines = new Deadlines({ ...base, ...limits }, clock, {
    deadlinePassed: (phase, afterMs) => {
      passed.push(`${phase} at ${clock.now()} (${afterMs})`)
      // What a connection does, unless one call alone has timed out.
      if (!phase.endsWith('-call')) deadlines.stop()
    },
  })
  return { deadlines, clock, passed }
}

/** A reader that lives by these deadlines. */
function makeReader(limits: Partial<DeadlineLimits> = {}): Made & { reader: StreamReader } {
  const clock = new CountingClock()
  const passed: string[] = []
  const reader = new StreamReader({ clock })
  const deadlines = new Deadlines({ ...OFF, ...limits }, clock, {
    deadlinePassed: (phase, afterMs) => {
      if (phase === 'read-call') {
        reader.callTimedOut()
        return
      }
      passed.push(`${phase} at ${clock.now()} (${afterMs})`)
      deadlines.stop()
    },
  })
  attachHost(reader, deadlines)
  return { reader, deadlines, clock, passed }
}

describe('resolveDeadlines()', () => {
  test('fills the gaps from the defaults', () => {
    expect(resolveDeadlines(undefined, SERVER_DEADLINES)).toBe(SERVER_DEADLINES)
    expect(resolveDeadlines({}, SERVER_DEADLINES)).toEqual(SERVER_DEADLINES)
    expect(resolveDeadlines({ idleMs: 7, messageMs: undefined }, SERVER_DEADLINES)).toEqual({
      ...SERVER_DEADLINES,
      idleMs: 7,
    })
  })

  test('takes what it has resolved before as it is', () => {
    const resolved = resolveDeadlines({ idleMs: 7 }, SERVER_DEADLINES)
    expect(resolveDeadlines(resolved, CLIENT_DEADLINES)).toBe(resolved)
  })

  test('takes Infinity for off', () => {
    expect(resolveDeadlines({ idleMs: Infinity }, SERVER_DEADLINES).idleMs).toBe(Infinity)
  })

  test.each([0, -1, Number.NaN])('refuses %s', (value) => {
    expect(() => resolveDeadlines({ writeStallMs: value }, SERVER_DEADLINES)).toThrow(
      new RangeError(
        `deadlines.writeStallMs must be a number of milliseconds above 0 (Infinity switches it off), not ${value}`,
      ),
    )
  })
})

describe('systemClock', () => {
  test('never goes back, and calls no sooner than it should', async () => {
    const start = systemClock.now()
    await new Promise<void>((resolve) => {
      systemClock.setTimeout(resolve, 2)
    })
    // Timers count in whole milliseconds.
    expect(systemClock.now() - start).toBeGreaterThan(1)
  })

  test('sets no timer for Infinity, and none that Node would fire at once', () => {
    const spy = vi.spyOn(globalThis, 'setTimeout')
    onTestFinished(() => {
      spy.mockRestore()
    })
    systemClock.clearTimeout(systemClock.setTimeout(() => {}, Infinity))
    expect(spy).not.toHaveBeenCalled()
    systemClock.clearTimeout(systemClock.setTimeout(() => {}, 2 ** 40))
    expect(spy.mock.calls.map(([, delayMs]) => delayMs)).toEqual([2 ** 31 - 1])
  })
})

describe('the defaults', () => {
  test('of a server guard everything, those of a client nothing', () => {
    expect(SERVER_DEADLINES).toEqual({
      firstByteMs: 300_000,
      messageMs: 30_000,
      idleMs: 300_000,
      writeStallMs: 60_000,
      halfClosedMs: 10_000,
    })
    expect(new Set(Object.values(CLIENT_DEADLINES))).toEqual(new Set([Infinity]))
  })
})

describe('Deadlines, its timer', () => {
  test('is one at most, whatever is waited for', async () => {
    const { deadlines, clock } = makeDeadlines(LIMITS)
    deadlines.readWaits('nothing', 0, 4_500)
    deadlines.readProgresses('message', 1)
    deadlines.writeStalls()
    deadlines.writeCallDueAt(100, 100)
    deadlines.halfCloses()
    await clock.advance(500)
    deadlines.writeCallDueAt(Infinity, 0)
    deadlines.writeFlows()
    deadlines.readEnds(true)
    deadlines.readWaits('frame', 1)
    expect(clock.mostPending).toBe(1)
  })

  test('is none where all is off', () => {
    const { deadlines, clock } = makeDeadlines()
    deadlines.readWaits('nothing', 0)
    deadlines.readProgresses('frame', 10)
    deadlines.writeStalls()
    deadlines.halfCloses()
    expect(clock.set).toBe(0)
  })

  test('is not touched by a busy connection', () => {
    const { deadlines, clock } = makeDeadlines(LIMITS)
    for (let i = 0; i < 1_000; i++) {
      deadlines.readWaits('nothing', 0)
      deadlines.readProgresses('message', 1)
      deadlines.readEnds(true)
      deadlines.writeProgresses()
    }
    // The first for the first byte, the second, nearer, for the message.
    expect(clock.set).toBe(2)
  })

  test('finds out when it fires too early, and is set again', async () => {
    const { deadlines, clock, passed } = makeDeadlines({ idleMs: 1_000 })
    deadlines.bytesCame()
    deadlines.readWaits('nothing', 0)
    await clock.advance(900)
    deadlines.readEnds(true)
    deadlines.readWaits('nothing', 0)
    await clock.advance(999)
    expect([passed, clock.set]).toEqual([[], 2])
    await clock.advance(1)
    expect(passed).toEqual(['idle at 1900 (1000)'])
  })

  test('is gone when nothing is waited for any more', async () => {
    const { deadlines, clock, passed } = makeDeadlines(LIMITS)
    deadlines.readWaits('nothing', 0)
    deadlines.readEnds(true)
    await clock.advance(100_000)
    expect([passed, clock.pendingTimers]).toEqual([[], 0])
  })

  test('is set again and again where a timer of the clock cannot be so long', async () => {
    const { deadlines, clock, passed } = makeDeadlines({ firstByteMs: MAX_TIMER_MS + 5 })
    clock.longestMs = MAX_TIMER_MS
    deadlines.readWaits('nothing', 0)
    await clock.advance(MAX_TIMER_MS + 4)
    expect(passed).toEqual([])
    await clock.advance(1)
    expect(passed).toEqual([`first-byte at ${MAX_TIMER_MS + 5} (${MAX_TIMER_MS + 5})`])
    expect(clock.set).toBe(2)
  })

  test('stop() clears it, and none is set afterwards', async () => {
    const { deadlines, clock, passed } = makeDeadlines(LIMITS)
    deadlines.readWaits('nothing', 0)
    deadlines.stop()
    expect(clock.pendingTimers).toBe(0)
    deadlines.writeStalls()
    deadlines.readEnds(false)
    deadlines.readWaits('message', 5)
    deadlines.stop()
    expect(clock.pendingTimers).toBe(0)
    await clock.advance(100_000)
    expect(passed).toEqual([])
  })
})

describe('Deadlines, before a verdict', () => {
  test('let the loop turn once, so that a stalled loop first reads what was there all along', async () => {
    const { deadlines, clock, passed } = makeDeadlines({ messageMs: 1_000 })
    deadlines.readWaits('message', 1)
    clock.afterFiring = () => {
      clock.afterFiring = undefined
      deadlines.readEnds(true)
      deadlines.readWaits('message', 1)
    }
    await clock.advance(1_999)
    expect(passed).toEqual([])
    await clock.advance(1)
    expect(passed).toEqual(['message at 2000 (1000)'])
  })

  test('find nothing to say when the connection went meanwhile', async () => {
    const { deadlines, clock, passed } = makeDeadlines({ messageMs: 1_000 })
    deadlines.readWaits('message', 1)
    clock.afterFiring = () => deadlines.stop()
    await clock.advance(10_000)
    expect(passed).toEqual([])
  })

  test('give one verdict, though another timer fires in between', async () => {
    const timers: (() => void)[] = []
    let now = 0
    const clock: Clock = {
      now: () => now,
      setTimeout: (callback) => timers.push(callback),
      clearTimeout: () => {},
    }
    let verdicts = 0
    const deadlines = new Deadlines({ ...OFF, messageMs: 10, writeStallMs: 10 }, clock, {
      deadlinePassed: () => {
        verdicts++
        deadlines.stop()
      },
    })
    deadlines.readWaits('message', 1)
    now = 10
    timers.shift()?.()
    deadlines.writeStalls()
    now = 20
    timers.shift()?.()
    await loopTurns(3)
    expect(verdicts).toBe(1)
  })
})

describe('Deadlines, first byte and idle', () => {
  test('the first byte has its own time', async () => {
    const { deadlines, clock, passed } = makeDeadlines(LIMITS)
    deadlines.readWaits('nothing', 0)
    await clock.advance(4_999)
    expect(passed).toEqual([])
    await clock.advance(1)
    expect(passed).toEqual(['first-byte at 5000 (5000)'])
  })

  test('idle takes over once a byte has come, to a waiting read or to none', async () => {
    const waiting = makeDeadlines({ ...LIMITS, messageMs: Infinity })
    waiting.deadlines.readWaits('nothing', 0)
    await waiting.clock.advance(4_000)
    waiting.deadlines.readProgresses('message', 1)
    await waiting.clock.advance(2_999)
    expect(waiting.passed).toEqual([])
    await waiting.clock.advance(1)
    expect(waiting.passed).toEqual(['idle at 7000 (3000)'])

    const none = makeReader({ firstByteMs: 1_000 })
    feed(none.reader, 'a\n')
    expect(await none.reader.readLine()).toBe('a')
    const next = none.reader.readLine()
    await none.clock.advance(10_000)
    expect(none.passed).toEqual([])
    feed(none.reader, 'b\n')
    expect(await next).toBe('b')
  })

  test('idle counts from progress either way', async () => {
    const { deadlines, clock, passed } = makeDeadlines({ idleMs: 3_000 })
    deadlines.bytesCame()
    deadlines.readWaits('nothing', 0)
    await clock.advance(2_000)
    deadlines.writeProgresses()
    await clock.advance(2_000)
    deadlines.readProgresses('nothing', 0)
    await clock.advance(2_999)
    expect(passed).toEqual([])
    await clock.advance(1)
    expect(passed).toEqual(['idle at 7000 (3000)'])
  })

  test('bytes of an over-long line are progress too', async () => {
    const { reader, clock, passed } = makeReader({ idleMs: 3_000 })
    feed(reader, 'x'.repeat(65_537))
    await rejection(reader.readLine())
    const next = reader.readLine()
    for (let i = 0; i < 5; i++) {
      await clock.advance(2_000)
      feed(reader, 'more of it')
    }
    expect(passed).toEqual([])
    feed(reader, '\nnext\n')
    expect(await next).toBe('next')
  })

  test('nothing runs without a waiting read', async () => {
    const { reader, deadlines, clock, passed } = makeReader(LIMITS)
    const line = reader.readLine()
    feed(reader, 'a\nb')
    expect(await line).toBe('a')
    // The handler works elsewhere, for as long as it likes, and writes too.
    await clock.advance(50_000)
    deadlines.writeProgresses()
    await clock.advance(50_000)
    expect(passed).toEqual([])
    const rest = reader.readLine()
    await clock.advance(999)
    expect(passed).toEqual([])
    feed(reader, '\n')
    expect(await rest).toBe('b')
  })
})

describe('Deadlines, message', () => {
  test('bytes that drip in do not extend it', async () => {
    const { reader, clock, passed } = makeReader(LIMITS)
    const line = watch(reader.readLine())
    await clock.advance(2_000)
    for (let i = 0; i < 9; i++) {
      feed(reader, 'x')
      await clock.advance(100)
    }
    feed(reader, 'x')
    await clock.advance(99)
    expect([passed, line.state]).toEqual([[], 'pending'])
    await clock.advance(1)
    expect(passed).toEqual(['message at 3000 (1000)'])
  })

  test('runs from its first byte, or from the wait where that comes later', async () => {
    const { reader, clock, passed } = makeReader({ messageMs: 1_000 })
    feed(reader, 'beg')
    await clock.advance(5_000)
    void rejection(reader.readUntil('\n'))
    await clock.advance(999)
    expect(passed).toEqual([])
    await clock.advance(1)
    expect(passed).toEqual(['message at 6000 (1000)'])
  })

  test('starts anew with each message', async () => {
    const { reader, clock, passed } = makeReader({ messageMs: 1_000 })
    for (let i = 0; i < 5; i++) {
      const line = reader.readLine()
      feed(reader, 'x')
      await clock.advance(900)
      feed(reader, '\n')
      expect(await line).toBe('x')
    }
    expect(passed).toEqual([])
  })

  test.each([
    ['read', (reader: StreamReader) => reader.read()],
    ['readAll', (reader: StreamReader) => reader.readAll()],
    ['peek', (reader: StreamReader) => reader.peek(10)],
  ])('is none of the business of %s(), which waits for no message', async (_, read) => {
    const { reader, clock, passed } = makeReader({ messageMs: 1_000 })
    const waiting = watch(read(reader))
    await clock.advance(10)
    feed(reader, 'x')
    await clock.advance(100_000)
    expect(passed).toEqual([])
    reader.feedEof()
    await waiting.promise
  })

  test('is not reset by reads that give up', async () => {
    const { reader, clock, passed } = makeReader({ messageMs: 1_000 })
    feed(reader, 'beg')
    for (let i = 0; i < 4; i++) {
      const poll = rejection(reader.readLine({ timeoutMs: 200 }))
      await clock.advance(200)
      expect(await poll).toMatchObject({ phase: 'call' })
      feed(reader, 'x')
      // Between the polls nobody waits, and that time does not count.
      await clock.advance(10_000)
    }
    const abort = new AbortController()
    const aborted = rejection(reader.readLine({ signal: abort.signal }))
    await clock.advance(100)
    abort.abort()
    await aborted
    void rejection(reader.readLine())
    await clock.advance(99)
    expect(passed).toEqual([])
    await clock.advance(1)
    expect(passed).toEqual(['message at 41000 (1000)'])
  })

  test('is reset when what they waited for was taken without a wait', async () => {
    const { reader, clock, passed } = makeReader({ messageMs: 1_000 })
    for (let i = 0; i < 5; i++) {
      feed(reader, 'beg')
      const poll = rejection(reader.readLine({ timeoutMs: 900 }))
      await clock.advance(900)
      await poll
      feed(reader, 'un\n')
      expect(reader.tryReadLine()).toBe('begun')
    }
    expect(passed).toEqual([])
  })

  test('of a frame, or of a piece of known length, grows by a second for each 16 KiB', async () => {
    const framing = lengthPrefixFraming({ bytes: 4, endian: 'big' })
    const reads: ((reader: StreamReader) => Promise<unknown>)[] = [
      (reader) => reader.readFrame(framing),
      (reader) => reader.readExactly(100_000),
    ]
    for (const read of reads) {
      const { reader, clock, passed } = makeReader({ messageMs: 1_000 })
      void rejection(read(reader))
      feed(reader, Buffer.from('00018000', 'hex'))
      await clock.advance(900)
      feed(reader, Buffer.alloc(16 * 1024 - 4))
      await clock.advance(1_000)
      feed(reader, Buffer.alloc(16 * 1024))
      await clock.advance(1_099)
      expect(passed).toEqual([])
      await clock.advance(1)
      expect(passed).toEqual(['message at 3000 (3000)'])
    }
  })

  test('of a line does not grow', async () => {
    const { reader, clock, passed } = makeReader({ messageMs: 1_000 })
    void rejection(reader.readLine())
    feed(reader, Buffer.alloc(60_000))
    await clock.advance(1_000)
    expect(passed).toEqual(['message at 1000 (1000)'])
  })
})

describe('Deadlines, writing', () => {
  test('a stall counts from the last byte that the kernel took', async () => {
    const { writer, transport, clock, told } = makeWriter({}, { writeStallMs: 2_000 })
    transport.isHeld = true
    writer.write(Buffer.alloc(150_000))
    for (let i = 0; i < 2; i++) {
      await clock.advance(1_999)
      transport.take()
    }
    await clock.advance(1_999)
    expect(told).toEqual([])
    await clock.advance(1)
    expect(told).toEqual(['write 2000'])
  })

  test('nothing runs while nothing is stuck', async () => {
    const { writer, transport, clock, told } = makeWriter({}, { writeStallMs: 2_000 })
    writer.write('taken at once')
    await clock.advance(10_000)
    transport.isHeld = true
    writer.write('stuck for a while')
    await clock.advance(1_000)
    transport.take()
    await clock.advance(10_000)
    expect([told, clock.pendingTimers]).toEqual([[], 0])
  })

  test('progress without a stall and without a read is no fact', async () => {
    const { deadlines, clock } = makeDeadlines(LIMITS)
    deadlines.writeProgresses()
    deadlines.writeCallDueAt(Infinity, 0)
    await clock.advance(10_000)
    expect(clock.set).toBe(0)
  })

  test('progress moves a stall on', async () => {
    const { deadlines, clock, passed } = makeDeadlines({ writeStallMs: 2_000 })
    deadlines.writeStalls()
    await clock.advance(1_500)
    deadlines.writeProgresses()
    await clock.advance(1_999)
    expect(passed).toEqual([])
    await clock.advance(1)
    expect(passed).toEqual(['write at 3500 (2000)'])
  })
})

describe('Deadlines, half-closed', () => {
  test('is absolute: what still comes does not extend it', async () => {
    const { reader, deadlines, clock, passed } = makeReader({ halfClosedMs: 4_000 })
    void rejection(reader.readAll())
    deadlines.halfCloses()
    for (let i = 0; i < 3; i++) {
      await clock.advance(1_000)
      feed(reader, 'still here')
    }
    await clock.advance(1_000)
    expect(passed).toEqual(['half-closed at 4000 (4000)'])
  })
})

describe('Deadlines, linger', () => {
  test('ends after two seconds of silence', async () => {
    const { deadlines, clock, passed } = makeDeadlines(LIMITS)
    deadlines.readWaits('message', 1)
    deadlines.halfCloses()
    deadlines.lingers()
    await clock.advance(1_500)
    deadlines.lingerProgresses()
    await clock.advance(LINGER_SILENCE_MS - 1)
    expect(passed).toEqual([])
    await clock.advance(1)
    expect(passed).toEqual(['linger at 3500 (2000)'])
  })

  test('ends after ten seconds in all', async () => {
    const { deadlines, clock, passed } = makeDeadlines()
    deadlines.lingers()
    for (let i = 0; i < 9; i++) {
      await clock.advance(1_000)
      deadlines.lingerProgresses()
    }
    await clock.advance(LINGER_TOTAL_MS - 9_000 - 1)
    expect(passed).toEqual([])
    await clock.advance(1)
    expect(passed).toEqual(['linger at 10000 (2000)'])
  })

  test('is not begun by late input', async () => {
    const { deadlines, clock, passed } = makeDeadlines()
    deadlines.lingerProgresses()
    await clock.advance(100_000)
    expect(passed).toEqual([])
  })
})

describe('Deadlines of one call', () => {
  test('pass once each, and the guards go on', async () => {
    const { deadlines, clock, passed } = makeDeadlines({ firstByteMs: 5_000 })
    deadlines.readWaits('nothing', 0, 100)
    deadlines.writeCallDueAt(200, 200)
    await clock.advance(1_000)
    expect(passed).toEqual(['read-call at 100 (100)', 'write-call at 200 (200)'])
    await clock.advance(4_000)
    expect(passed.at(-1)).toBe('first-byte at 5000 (5000)')
  })

  test('end with the read, whatever it came to', async () => {
    const { deadlines, clock, passed } = makeDeadlines()
    deadlines.readWaits('nothing', 0, 100)
    deadlines.readEnds(false)
    deadlines.readWaits('nothing', 0)
    await clock.advance(1_000)
    expect([passed, clock.pendingTimers]).toEqual([[], 0])
  })

  test('the guard that is due first speaks first', async () => {
    const { deadlines, clock, passed } = makeDeadlines(LIMITS)
    deadlines.readWaits('message', 1, 2_000)
    await clock.advance(2_000)
    expect(passed).toEqual(['message at 1000 (1000)'])
  })
})
