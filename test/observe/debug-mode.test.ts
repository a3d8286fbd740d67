/** Debug mode: what it finds, how it names the place, and that nothing of it is left when it is off. */
import { channel } from 'node:diagnostics_channel'
import { fileURLToPath } from 'node:url'
import { describe, expect, expectTypeOf, it, onTestFinished } from 'vitest'
import { watchUnawaited } from '../../src/concurrency/unawaited.js'
import { BusyError } from '../../src/errors.js'
import {
  CONNECTION_CLOSE_CHANNEL,
  CONNECTION_OPEN_CHANNEL,
  type ConnectionOpenMessage,
  type ObservedConnection,
} from '../../src/observe/connection-messages.js'
import {
  enableDebugMode,
  type DebugMode,
  type DebugModeOptions,
} from '../../src/observe/debug-mode.js'
import type { Connection } from '../../src/protocol/connection.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { blockLoop } from '../support/block-loop.js'
import { collectGarbage } from '../support/collect-garbage.js'
import { eventually } from '../support/eventually.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { run } from '../support/programs.js'
import { RecordingLogger, type LogRecord } from '../support/recording-logger.js'
import { thrownBy } from '../support/thrown-by.js'

guardAgainstLeaks()

interface Scene {
  readonly debug: DebugMode
  readonly clock: FakeClock
  readonly warnings: readonly LogRecord[]
}

function scene(options: DebugModeOptions = {}): Scene {
  const clock = new FakeClock()
  const logger = new RecordingLogger()
  const debug = enableDebugMode({ clock, logger, slowTurnMs: Infinity, ...options })
  onTestFinished(() => debug.disable())
  return { debug, clock, warnings: logger.records }
}

type FakeConnection = { -readonly [K in keyof ObservedConnection]: ObservedConnection[K] }

let lastId = 0

function fakeConnection(part: Partial<ObservedConnection> = {}): FakeConnection {
  return {
    id: ++lastId,
    role: 'outbound',
    state: 'open',
    remote: { host: '127.0.0.1', port: 8888 },
    bytesRead: 0,
    bytesWritten: 0,
    reader: { bufferedBytes: 0 },
    writer: { bufferedBytes: 0 },
    ...part,
  }
}

/** What the kit does when a connection opens. */
function open(connection = fakeConnection(), openedAt?: Error): FakeConnection {
  const message: ConnectionOpenMessage = { connection, openedAt }
  channel(CONNECTION_OPEN_CHANNEL).publish(message)
  return connection
}

/** What the kit does when a connection has ended. */
function close(connection: ObservedConnection): void {
  channel(CONNECTION_CLOSE_CHANNEL).publish({ connection, info: { reason: { kind: 'ended' } } })
}

/** A call of the kit that hands a promise out. */
function call<T>(promise: Promise<T>): Promise<T> {
  return watchUnawaited(promise, 'Kit.call()')
}

/** A promise that is garbage once nobody has it. */
function madeNow<T>(value: T): Promise<T> {
  return new Promise((resolve) => {
    resolve(value)
  })
}

describe('enableDebugMode()', () => {
  it('is on once at a time', () => {
    const { debug } = scene()
    expect(thrownBy(() => enableDebugMode())).toBeInstanceOf(BusyError)
    debug.disable()
    const { debug: next } = scene()
    debug.disable()
    expect(() => enableDebugMode()).toThrow('debug mode is on already')
    next.disable()
  })

  it.each([{ staleMs: 0 }, { staleMs: NaN }, { slowTurnMs: 0 }])('refuses %j', (options) => {
    expect(() => enableDebugMode({ ...options, logger: false })).toThrow(RangeError)
    expect(() => enableDebugMode({ logger: false }).disable()).not.toThrow()
  })

  it('leaves nothing behind when its scope ends', async () => {
    const listeners = process.listenerCount('exit')
    const clock = new FakeClock()
    {
      using debug = enableDebugMode({ clock, logger: false })
      expect(debug.unclosed()).toEqual([])
      expect(process.listenerCount('exit')).toBe(listeners + 1)
      expect(channel(CONNECTION_OPEN_CHANNEL).hasSubscribers).toBe(true)
    }
    {
      await using debug = enableDebugMode({ clock, logger: false })
      expect(debug.unawaited()).toEqual([])
    }
    expect(process.listenerCount('exit')).toBe(listeners)
    expect(channel(CONNECTION_OPEN_CHANNEL).hasSubscribers).toBe(false)
    expect(channel(CONNECTION_CLOSE_CHANNEL).hasSubscribers).toBe(false)
    expect(clock.pendingTimers).toBe(0)
  })

  it('tells of turns that block the loop', async () => {
    const { debug, warnings } = scene({ slowTurnMs: 20 })
    blockLoop(25)
    await loopTurns(2)
    expect(warnings.map(({ message }) => message)[0]).toMatch(/^the event loop was blocked for/)
    expect(debug.loop.snapshot().slowTurns).toBe(warnings.length)
  })
})

describe('DebugMode.unclosed()', () => {
  it('lists connections from their opening to their end, with the place of the program', async () => {
    const { debug, clock } = scene()
    const first = open()
    await clock.advance(1500)
    const second = open(fakeConnection({ role: 'inbound', remote: undefined }))
    expect(debug.unclosed()).toMatchObject([
      { id: first.id, role: 'outbound', peer: '127.0.0.1:8888', ageMs: 1500 },
      { id: second.id, role: 'inbound', peer: 'an unknown address', ageMs: 0 },
    ])
    expect(debug.unclosed()[0]?.place).toMatch(/^open \(.*debug-mode\.test\.ts:\d+:\d+\)$/)
    close(first)
    expect(debug.unclosed().map(({ id }) => id)).toEqual([second.id])
    close(second)
    expect(debug.unclosed()).toEqual([])
  })

  it('names the place that the program asked at, through its awaits', async () => {
    const { debug } = scene()
    async function main(): Promise<void> {
      const openedAt = await dial()
      open(fakeConnection(), openedAt)
    }
    async function dial(): Promise<Error> {
      await loopTurns(1)
      return new Error('opened here')
    }
    await main()
    const [found] = debug.unclosed()
    expect(found?.place).toMatch(/^dial /)
    expect(found?.stack).toMatch(/at (async )?main .*debug-mode\.test\.ts/)
  })

  it.each([
    [{ host: '::1', port: 80 }, '[::1]:80'],
    [{ path: '/run/x.sock' }, 'unix:/run/x.sock'],
  ])('writes the peer %j as %s', (remote, peer) => {
    const { debug } = scene()
    open(fakeConnection({ remote }))
    expect(debug.unclosed()).toMatchObject([{ peer }])
  })

  it('has none that was closed and is still ending', () => {
    const { debug } = scene()
    const connection = open()
    connection.state = 'closing'
    expect(debug.unclosed()).toEqual([])
  })

  it('asks of a connection only what a Connection has', () => {
    expectTypeOf<Connection>().toExtend<ObservedConnection>()
  })
})

describe('DebugMode.disable()', () => {
  it('warns of each connection that is open, once', async () => {
    const { debug, clock, warnings } = scene()
    const openedAt = new Error('opened here')
    const connection = open(fakeConnection(), openedAt)
    open(fakeConnection({ role: 'inbound', remote: { path: '/x' } }))
    await clock.advance(12_000)
    debug.disable()
    debug.disable()
    expect(warnings).toHaveLength(2)
    expect(warnings[0]).toMatchObject({
      level: 'warn',
      fields: { conn: connection.id, peer: '127.0.0.1:8888', ageMs: 12_000, err: openedAt },
    })
    expect(warnings[0]?.message).toMatch(
      /^connection \d+ to 127\.0\.0\.1:8888 was not closed in 12 s; it was opened at .*debug-mode\.test\.ts/,
    )
    expect(warnings[1]?.message).toMatch(/^connection \d+ from unix:\/x was not closed/)
  })

  it('tells of a hundred one by one and counts the others', () => {
    const { debug, warnings } = scene()
    for (let n = 0; n < 250; n++) open()
    debug.disable()
    expect(warnings).toHaveLength(101)
    expect(warnings.at(-1)).toMatchObject({ fields: { more: 150 } })
  })

  it('says nothing of a place when the stack has none', () => {
    const { debug, warnings } = scene()
    const bare = new Error('opened here')
    bare.stack = 'Error: opened here'
    open(fakeConnection(), bare)
    debug.disable()
    expect(warnings[0]?.message).toMatch(/was not closed in 0 ns$/)
  })
})

describe('DebugMode staleMs', () => {
  it('warns once of a connection that the program does not use, and again after it did', async () => {
    const { clock, warnings } = scene({ staleMs: 10_000 })
    const connection = open()
    await clock.advance(9_999)
    expect(warnings).toEqual([])
    await clock.advance(20_000)
    expect(warnings.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^connection \d+ to .* was neither read from nor written to for 10 s;/),
    ])
    connection.bytesRead += 5
    await clock.advance(5_001)
    expect(warnings).toHaveLength(1)
    await clock.advance(10_000)
    expect(warnings).toHaveLength(2)
  })

  it('takes bytes that arrive and that nobody reads for no use, and writes that wait for one', async () => {
    const { clock, warnings } = scene({ staleMs: 10_000 })
    const unread = open()
    const written = open()
    for (let n = 1; n <= 4; n++) {
      await clock.advance(5_000)
      unread.bytesRead = n * 100
      unread.reader = { bufferedBytes: n * 100 }
      written.writer = { bufferedBytes: n * 100 }
    }
    expect(warnings.map(({ fields }) => fields['conn'])).toEqual([unread.id])
  })
})

describe('DebugMode.unawaited()', () => {
  it('tells of a call whose promise was collected unawaited, with its place', async () => {
    const { debug, warnings } = scene()
    function forgetful(): void {
      void call(madeNow('lost'))
    }
    forgetful()
    await collected(debug, 1)
    const [found] = debug.unawaited()
    expect(found).toMatchObject({ call: 'Kit.call()', count: 1 })
    expect(found?.place).toMatch(/^forgetful \(.*debug-mode\.test\.ts:\d+:\d+\)$/)
    expect(warnings).toMatchObject([{ level: 'warn', fields: { call: 'Kit.call()' } }])
    expect(warnings[0]?.message).toMatch(
      /^Kit\.call\(\) was never awaited; it was called at forgetful/,
    )
  })

  it('says nothing of those that something waits for', async () => {
    const { debug } = scene()
    async function handsOn(): Promise<number> {
      return call(madeNow(1))
    }
    await call(madeNow(1))
    await handsOn()
    await Promise.all([call(madeNow(1)), call(madeNow(2))])
    await Promise.race([call(madeNow(1)), call(madeNow(2))])
    void call(madeNow(1)).then(() => {})
    call(Promise.reject(new Error('no'))).catch(() => {})
    void call(madeNow(1)).finally(() => {})
    const held = call(madeNow(1))
    await loopTurns(3)
    await held
    collectGarbage()
    await loopTurns(3)
    debug.disable()
    expect(debug.unawaited()).toEqual([])
  })

  it('does not change what a call gives', async () => {
    scene()
    const promise = madeNow(5)
    expect(call(promise)).toBe(promise)
    expect(await promise).toBe(5)
  })

  it('tells calls apart that hand out the same promise', async () => {
    const { debug } = scene()
    const shared = Promise.resolve('done')
    const forgetful = (): void => {
      void call(shared)
    }
    expect(await call(shared)).toBe('done')
    forgetful()
    expect(await call(shared)).toBe('done')
    forgetful()
    await collected(debug, 2)
    debug.disable()
    expect(debug.unawaited()).toMatchObject([{ call: 'Kit.call()', count: 2 }])
  })

  it('keeps a shared rejection from ending the process', async () => {
    const { debug } = scene()
    const shared = Promise.reject(new Error('no'))
    shared.catch(() => {})
    void call(shared)
    void call(shared)
    await expect(call(shared)).rejects.toThrow('no')
    await loopTurns(2)
    debug.disable()
    // The leak guard looks for unhandled rejections.
    expect(debug.unawaited()).toMatchObject([{ count: 1 }, { count: 1 }])
  })

  it('warns of one place at its 1st, 10th and 100th time', () => {
    const { debug, warnings } = scene()
    const kept = Array.from({ length: 250 }, () => call(madeNow(1)))
    expect(kept).toHaveLength(250)
    process.emit('exit', 0)
    expect(warnings.map(({ fields }) => fields['count'])).toEqual([1, 10, 100])
    expect(warnings[1]?.message).toMatch(/ \(10 times so far\)$/)
    expect(debug.unawaited()).toMatchObject([{ count: 250 }])
  })

  it('at its end tells of those of earlier turns that are still there', async () => {
    const { debug } = scene()
    const early = call(madeNow(1))
    await loopTurns(1)
    const now = call(madeNow(2))
    debug.disable()
    expect(debug.unawaited()).toHaveLength(1)
    expect(await early).toBe(1)
    expect(await now).toBe(2)
  })

  it('is bounded: calls beyond 10,000 at once are not watched', () => {
    const { debug } = scene()
    const kept = Array.from({ length: 10_050 }, () => call(madeNow(1)))
    process.emit('exit', 0)
    expect(kept).toHaveLength(10_050)
    expect(debug.unawaited()).toMatchObject([{ count: 10_000 }])
  })

  it('is bounded: places beyond 1,000 are told of together', () => {
    const { debug, warnings } = scene()
    const kept = Array.from({ length: 1003 }, (_, n) => watchUnawaited(madeNow(n), `call ${n}`))
    process.emit('exit', 0)
    expect(kept).toHaveLength(1003)
    expect(debug.unawaited()).toHaveLength(1001)
    expect(debug.unawaited().at(-1)).toMatchObject({ call: '(other)', place: '(other)', count: 3 })
    expect(warnings).toHaveLength(1001)
  })

  it('watches nothing when it is off', async () => {
    const { debug } = scene({ unawaited: false })
    void call(madeNow(1))
    void debug.watch(madeNow(1), 'own()')
    process.emit('exit', 0)
    expect(debug.unawaited()).toEqual([])
  })
})

describe('DebugMode.watch()', () => {
  it('watches a promise of the program, while it is on', async () => {
    const { debug } = scene()
    const save = (): Promise<string> => debug.watch(madeNow('saved'), 'save()')
    expect(await save()).toBe('saved')
    const kept = save()
    await loopTurns(1)
    debug.disable()
    expect(debug.unawaited()).toMatchObject([{ call: 'save()', count: 1 }])
    expect(await kept).toBe('saved')
    expect(await save()).toBe('saved')
  })
})

describe('a program in debug mode', () => {
  it('is told of its mistakes on stderr, each with its place', async () => {
    const program = fileURLToPath(new URL('../support/programs/debug-mode.mjs', import.meta.url))
    const running = run(process.execPath, ['--expose-gc', program])
    expect(await running.nextLine()).toBe('object 1')
    expect(await running.ended).toBe(0)
    const lines = running.stderr().split('\n')
    const told = (words: RegExp): string[] => lines.filter((line) => words.test(line))
    // A busy machine may make other turns slow as well.
    expect(
      told(/^standpipe: the event loop was blocked for .*, mostly in the top level/)[0],
    ).toMatch(/ \(file:.*debug-mode\.mjs\); give long work/)
    const calledAt = /^standpipe: save\(\) was never awaited; it was called at/
    expect(told(calledAt)).toEqual([
      expect.stringMatching(/ at forgetful \(.*debug-mode\.mjs:\d+:\d+\)$/),
      expect.stringMatching(/ at file:.*debug-mode\.mjs:\d+:\d+$/),
    ])
    expect(told(/was not closed/)).toEqual([
      expect.stringMatching(
        /^standpipe: connection 1 to 127\.0\.0\.1:\d+ was not closed in .*; it was opened at open \(.*mjs:\d+:\d+\)$/,
      ),
    ])
    expect(told(/readLine\(\) was never awaited/)).toEqual([
      expect.stringMatching(/ it was called at forgetToRead \(.*debug-mode\.mjs:\d+:\d+\)$/),
    ])
    expect(lines).toContainEqual(expect.stringMatching(/^ {4}at forgetful .*debug-mode\.mjs/))
  })
})

/** Waits until garbage was collected and so many unawaited calls were found. */
async function collected(debug: DebugMode, count: number): Promise<void> {
  const enough = (): boolean => {
    collectGarbage()
    return debug.unawaited().reduce((sum, found) => sum + found.count, 0) >= count
  }
  await eventually(enough, { what: `${count} unawaited calls were found` })
}
