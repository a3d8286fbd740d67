import { getEventListeners } from 'node:events'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { deferred, unobserved, type Deferred } from '../../src/concurrency/deferred.js'
import type { ResourceScope } from '../../src/concurrency/resource-scope.js'
import { Service, type ServiceOptions } from '../../src/concurrency/service.js'
import { sleep } from '../../src/concurrency/sleep.js'
import { ClosedError, TimeoutError } from '../../src/errors.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { inAllOrders, interleave } from '../support/all-orders.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { RecordingLogger } from '../support/recording-logger.js'
import { rejection, watch, type Watched } from '../support/settled.js'

guardAgainstLeaks()

interface Hooks {
  onStart?: (scope: ResourceScope, signal: AbortSignal) => unknown
  run?: (signal: AbortSignal) => unknown
  onStop?: (signal: AbortSignal) => unknown
}

/** A service whose hooks a test gives, and that notes what happens. */
class Probe extends Service {
  readonly log: string[] = []
  readonly #hooks: Hooks

  constructor(hooks: Hooks = {}, options: ServiceOptions = {}) {
    super({ name: 'probe', logger: false, ...options })
    this.#hooks = hooks
  }

  protected override async onStart(scope: ResourceScope, signal: AbortSignal): Promise<void> {
    this.log.push('start')
    scope.defer(() => this.log.push('close'))
    await this.#hooks.onStart?.(scope, signal)
    this.log.push('started')
  }

  protected override async run(signal: AbortSignal): Promise<void> {
    this.log.push('run')
    try {
      await (this.#hooks.run === undefined ? super.run(signal) : this.#hooks.run(signal))
    } finally {
      this.log.push('run ended')
    }
  }

  protected override async onStop(signal: AbortSignal): Promise<void> {
    this.log.push('stop')
    await this.#hooks.onStop?.(signal)
    this.log.push('stop ended')
  }
}

class Plain extends Service {}

const heed = (signal: AbortSignal): Promise<void> => sleep(Infinity, { signal })
const boom = new Error('boom')

/** One that may be rejected before anybody waits for it. */
function handled(): Deferred {
  const made = deferred()
  void unobserved(made.promise)
  return made
}

describe('Service', () => {
  it('opens, runs, stops and closes in this order, and can be started again', async () => {
    const clock = new FakeClock()
    const service = new Probe({}, { clock })
    const closed = watch(service.closed)
    expect(service.state).toBe('new')
    await service.start()
    expect(service).toMatchObject({ state: 'running', isRunning: true, error: undefined })
    await clock.advance(70)
    expect(closed.state).toBe('pending')
    await service.stop()
    const whole = ['start', 'started', 'run', 'stop', 'stop ended', 'run ended', 'close']
    expect(service.log).toEqual(whole)
    expect(service).toMatchObject({ state: 'stopped', isRunning: false })
    expect(closed.value).toEqual({ state: 'stopped', durationMs: 70 })

    await service.start()
    const again = watch(service.closed)
    expect(again.state).toBe('pending')
    await service[Symbol.asyncDispose]()
    expect(service.log).toEqual([...whole, ...whole])
    expect(again.value).toEqual({ state: 'stopped', durationMs: 0 })
    expect(clock.pendingTimers).toBe(0)
  })

  it('needs no hooks, and has the name of its class', async () => {
    const service = new Plain()
    expect(service.name).toBe('Plain')
    await service.start()
    expect(service.isRunning).toBe(true)
    await service.stop()
    expect(service.state).toBe('stopped')
  })

  it('refuses what has no meaning', () => {
    expect(() => new Plain({ graceMs: -1 })).toThrow(
      new RangeError('graceMs must be a number of milliseconds, 0 or more, not -1'),
    )
    expect(() => new Plain({ cleanupTimeoutMs: 0 })).toThrow(RangeError)
  })
})

describe('Service.start()', () => {
  it('starts once, however many call it', async () => {
    const gate = deferred()
    const service = new Probe({ onStart: () => gate.promise })
    const calls = [watch(service.start()), watch(service.start())]
    expect(service.state).toBe('starting')
    await loopTurns(1)
    expect(calls.map(({ state }) => state)).toEqual(['pending', 'pending'])
    gate.resolve()
    await Promise.all(calls.map(({ promise }) => promise))
    await service.start()
    expect(service.log).toEqual(['start', 'started', 'run'])
    await service.stop()
  })

  it('closes what it has opened when it fails, says so, and can be called again', async () => {
    let tries = 0
    const service = new Probe({
      onStart: (scope) => {
        scope.defer(() => service.log.push('close second'))
        if (++tries === 1) throw boom
      },
    })
    const closed = watch(service.closed)
    const [first, second] = [watch(service.start()), watch(service.start())]
    await loopTurns(1)
    expect([first.error, second.error]).toEqual([boom, boom])
    expect(service).toMatchObject({ state: 'failed', isRunning: false, error: boom })
    expect(closed.value).toMatchObject({ state: 'failed', error: boom })
    expect(service.log).toEqual(['start', 'close second', 'close'])
    await service.stop()
    expect(service.state).toBe('failed')

    await service.start()
    expect(service).toMatchObject({ state: 'running', error: undefined })
    await service.stop()
  })

  it('keeps its own error first when a clean-up fails as well', async () => {
    const service = new Probe({
      onStart: (scope) => {
        scope.defer(() => Promise.reject(new Error('stuck')), { name: 'door' })
        throw boom
      },
    })
    const error = (await rejection(service.start())) as AggregateError
    expect(error.message).toBe('probe: boom; afterwards 1 of 2 clean-ups failed: door: stuck')
    expect(error.errors).toEqual([boom, new Error('stuck')])
    expect(service.error).toBe(error)
  })

  it('does nothing for a signal that has aborted before, and for a time of no meaning', async () => {
    const service = new Probe()
    expect(await rejection(service.start({ signal: AbortSignal.abort('no') }))).toBe('no')
    expect(await rejection(service.start({ timeoutMs: 0 }))).toBeInstanceOf(RangeError)
    expect(service).toMatchObject({ state: 'new', log: [] })
  })

  it('is ended by the signal and the time of the call that has begun it', async () => {
    const clock = new FakeClock()
    const service = new Probe({ onStart: (_scope, signal) => heed(signal) }, { clock })
    const controller = new AbortController()
    const aborted = watch(service.start({ signal: controller.signal }))
    const joined = watch(service.start())
    controller.abort('enough')
    await loopTurns(1)
    expect([aborted.error, joined.error, service.error]).toEqual(['enough', 'enough', 'enough'])
    expect(service.state).toBe('failed')

    const late = watch(service.start({ timeoutMs: 40 }))
    await clock.advance(40)
    expect(late.error).toBeInstanceOf(TimeoutError)
    expect((late.error as Error).message).toBe('probe: start(): not done within 40 ms')
    expect(service.log).toEqual(['start', 'close', 'start', 'close'])
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    expect(clock.pendingTimers).toBe(0)
  })

  it('is not ended by the signal and the time of a call that came later', async () => {
    const clock = new FakeClock()
    const gate = deferred()
    const service = new Probe({ onStart: () => gate.promise }, { clock })
    const first = watch(service.start())
    const controller = new AbortController()
    const aborted = watch(service.start({ signal: controller.signal }))
    const late = watch(service.start({ timeoutMs: 5 }))
    controller.abort('enough')
    await clock.advance(5)
    expect(aborted.error).toBe('enough')
    expect(late.error).toBeInstanceOf(TimeoutError)
    gate.resolve()
    await first.promise
    expect(service.isRunning).toBe(true)
    await service.stop()
    expect(clock.pendingTimers).toBe(0)
  })

  it('is done when onStart comes through in spite of the abort', async () => {
    const gate = deferred()
    const controller = new AbortController()
    const service = new Probe({ onStart: () => gate.promise })
    const starting = service.start({ signal: controller.signal })
    controller.abort()
    gate.resolve()
    await starting
    expect(service.isRunning).toBe(true)
    await service.stop()
  })

  it('gives up an onStart that does not end after its abort, and closes what comes later', async () => {
    const clock = new FakeClock()
    const logger = new RecordingLogger()
    const gate = deferred()
    const closed: string[] = []
    const service = new Probe(
      {
        onStart: async (scope) => {
          await gate.promise
          scope.defer(() => closed.push('late'))
        },
      },
      { clock, logger, cleanupTimeoutMs: 200 },
    )
    const starting = watch(service.start({ timeoutMs: 50 }))
    await clock.advance(249)
    expect(starting.state).toBe('pending')
    await clock.advance(1)
    expect((starting.error as Error).message).toBe(
      'probe: onStart(), after its abort: not done within 200 ms',
    )
    expect(service.state).toBe('failed')
    gate.resolve()
    await loopTurns(2)
    expect(closed).toEqual(['late'])
    expect(logger.records).toEqual([
      expect.objectContaining({
        level: 'warn',
        message: 'probe: onStart() failed after it was given up',
      }),
    ])
    expect(clock.pendingTimers).toBe(0)
  })

  it('waits for a stop that is under way, and starts it then', async () => {
    const gate = deferred()
    const service = new Probe({ onStop: () => gate.promise })
    await service.start()
    const stopping = watch(service.stop())
    const again = watch(service.start())
    const alsoAgain = watch(service.start({ timeoutMs: 1_000 }))
    await loopTurns(1)
    expect([again.state, service.state]).toEqual(['pending', 'stopping'])
    gate.resolve()
    await Promise.all([stopping.promise, again.promise, alsoAgain.promise])
    expect(service.isRunning).toBe(true)
    expect(service.log.filter((entry) => entry === 'start')).toHaveLength(2)
    await service.stop()
  })

  it('gives way to a stop that was called after it', async () => {
    const clock = new FakeClock()
    const gate = deferred()
    const service = new Probe({ onStop: () => gate.promise }, { clock })
    await service.start()
    const first = watch(service.stop())
    const start = watch(service.start())
    const late = watch(service.start({ timeoutMs: 5 }))
    const second = watch(service.stop())
    await clock.advance(5)
    expect(late.error).toBeInstanceOf(TimeoutError)
    gate.resolve()
    await Promise.all([first.promise, second.promise])
    await loopTurns(1)
    expect(start.error).toBeInstanceOf(ClosedError)
    expect((start.error as Error).message).toBe('probe: it was stopped again before it was started')
    expect(service.state).toBe('stopped')
  })
})

describe('Service.stop()', () => {
  it('does nothing for one that was never started, and for one that has ended', async () => {
    const service = new Probe()
    await service.stop()
    expect(service.state).toBe('new')
    await service.start()
    await Promise.all([service.stop(), service.stop()])
    await service.stop()
    expect(service.log.filter((entry) => entry === 'stop')).toHaveLength(1)
  })

  it('ends a start that is under way, which then rejects', async () => {
    const service = new Probe({ onStart: (_scope, signal) => heed(signal) })
    const starting = watch(service.start())
    await service.stop()
    await loopTurns(1)
    expect(starting.error).toBeInstanceOf(ClosedError)
    expect((starting.error as Error).message).toBe('probe: it was stopped while it was starting')
    expect(service).toMatchObject({ state: 'stopped', error: undefined, log: ['start', 'close'] })
  })

  it('stops in good order what has come through although the start was ended', async () => {
    const gate = deferred()
    const service = new Probe({ onStart: () => gate.promise })
    const starting = watch(service.start())
    const stopping = watch(service.stop())
    gate.resolve()
    await stopping.promise
    await loopTurns(1)
    expect(starting.error).toBeInstanceOf(ClosedError)
    expect(service.log).toEqual(['start', 'started', 'stop', 'stop ended', 'close'])
    expect(service.state).toBe('stopped')
  })

  it('tells of an onStart that fails in its own way while it is stopped', async () => {
    const gate = deferred()
    const service = new Probe({ onStart: () => gate.promise })
    const starting = watch(service.start())
    const stopping = watch(service.stop())
    gate.reject(boom)
    await loopTurns(1)
    expect([starting.error, stopping.error]).toEqual([boom, boom])
    expect(service.state).toBe('failed')
  })

  it('lets onStop work while run goes on, and ends both at the end of the grace', async () => {
    const clock = new FakeClock()
    const service = new Probe({ onStop: heed }, { clock, graceMs: 300 })
    await service.start()
    const stopping = watch(service.stop())
    await clock.advance(299)
    expect(service.log).toEqual(['start', 'started', 'run', 'stop'])
    await clock.advance(1)
    expect(stopping.state).toBe('resolved')
    expect(service.log.slice(4)).toEqual(['run ended', 'close'])
    expect(service.state).toBe('stopped')
    expect(clock.pendingTimers).toBe(0)
  })

  it('has its grace shortened by a later call, and not lengthened', async () => {
    const clock = new FakeClock()
    const service = new Probe({ onStop: heed }, { clock })
    await service.start()
    const stopping = watch(service.stop({ graceMs: 500 }))
    void service.stop()
    void service.stop({ graceMs: 200 })
    await clock.advance(199)
    expect(stopping.state).toBe('pending')
    await clock.advance(1)
    expect(stopping.state).toBe('resolved')
    await service.start()
    await service.stop({ graceMs: 0 })
    expect(service.state).toBe('stopped')
    expect(clock.pendingTimers).toBe(0)
  })

  it('passes over whatever does not end, names it, and closes the rest', async () => {
    const clock = new FakeClock()
    const never = (): Promise<never> => new Promise(() => {})
    const service = new Probe(
      {
        onStart: (scope) => scope.defer(never, { name: 'door' }),
        run: never,
        onStop: never,
      },
      { clock, graceMs: 100, cleanupTimeoutMs: 1_000 },
    )
    await service.start()
    const stopping = watch(service.stop())
    await clock.advance(3_099)
    expect(stopping.state).toBe('pending')
    await clock.advance(1)
    expect((stopping.error as Error).message).toBe(
      'probe: 3 of 4 clean-ups failed: ' +
        'onStop(): probe: onStop(), after its abort: not done within 1000 ms; ' +
        'run(): not done within 1000 ms; door: not done within 1000 ms',
    )
    expect(service.log.at(-1)).toBe('close')
    expect(service).toMatchObject({ state: 'failed', error: stopping.error })
    expect(clock.pendingTimers).toBe(0)
    await service.stop()
  })

  it('rejects with what hooks and clean-ups have thrown', async () => {
    const service = new Probe({
      onStop: () => Promise.reject(new Error('no goodbye')),
      run: async (signal) => {
        await heed(signal).catch(() => {})
        throw boom
      },
    })
    await service.start()
    const error = (await rejection(service.stop())) as AggregateError
    expect(error.errors).toEqual([new Error('no goodbye'), boom])
    expect(error.message).toBe('probe: 2 of 3 clean-ups failed: onStop(): no goodbye; run(): boom')
    expect(service.state).toBe('failed')
    await service.start()
    void service.stop()
    await service.closed
  })

  it('calls the hooks also when onStart has moved what it had opened elsewhere', async () => {
    let moved: ResourceScope | undefined
    const service = new Probe({ onStart: (scope) => void (moved = scope.move()) })
    await service.start()
    await service.stop()
    expect(service.log).toEqual(['start', 'started', 'run', 'stop', 'stop ended', 'run ended'])
    await moved?.close()
    expect(service.log.at(-1)).toBe('close')
  })

  it('takes signal and timeoutMs for the wait alone', async () => {
    const clock = new FakeClock()
    const gate = deferred()
    const service = new Probe({ onStop: () => gate.promise }, { clock })
    await service.start()
    expect(await rejection(service.stop({ signal: AbortSignal.abort('no') }))).toBe('no')
    expect(await rejection(service.stop({ graceMs: NaN }))).toBeInstanceOf(RangeError)
    expect(service.state).toBe('running')
    const late = watch(service.stop({ timeoutMs: 5 }))
    await clock.advance(5)
    expect(late.error).toBeInstanceOf(TimeoutError)
    expect(service.state).toBe('stopping')
    gate.resolve()
    await service.stop()
    expect(service.state).toBe('stopped')
  })
})

describe('Service.run()', () => {
  it('that throws is a crash: told, cleaned up, and the service can be started again', async () => {
    const logger = new RecordingLogger()
    const gate: { current: Deferred } = { current: deferred() }
    const seen: unknown[] = []
    const service: Probe = new Probe(
      { run: () => gate.current.promise, onStop: () => seen.push(service.error) },
      { logger },
    )
    await service.start()
    const closed = watch(service.closed)
    gate.current.reject(boom)
    await loopTurns(1)
    expect(closed.value).toMatchObject({ state: 'failed', error: boom })
    expect(service).toMatchObject({ state: 'failed', error: boom })
    expect(seen).toEqual([boom])
    expect(service.log.slice(3)).toEqual(['run ended', 'stop', 'stop ended', 'close'])
    expect(logger.records).toEqual([
      { level: 'error', fields: { err: boom }, message: 'probe: it has crashed: run() threw' },
    ])
    await service.stop()
    gate.current = deferred()
    await service.start()
    expect(service).toMatchObject({ state: 'running', error: undefined })
    gate.current.resolve()
    await service.stop()
  })

  it('that throws leaves onStop its grace, and no more', async () => {
    const clock = new FakeClock()
    const service = new Probe(
      { run: () => Promise.reject(boom), onStop: heed },
      { clock, graceMs: 300 },
    )
    await service.start()
    const closed = watch(service.closed)
    await clock.advance(299)
    expect(closed.state).toBe('pending')
    expect(service).toMatchObject({ state: 'stopping', error: boom })
    await clock.advance(1)
    expect(closed.value).toMatchObject({ state: 'failed', error: boom })
    expect(clock.pendingTimers).toBe(0)
  })

  it('that was given up says nothing of the next life when it throws at last', async () => {
    const clock = new FakeClock()
    const first = handled()
    const works: (() => unknown)[] = [() => first.promise, () => new Promise(() => {})]
    const service = new Probe({ run: () => works.shift()?.() }, { clock, cleanupTimeoutMs: 10 })
    await service.start()
    const stopping = watch(service.stop())
    await clock.advance(10)
    expect(stopping.state).toBe('rejected')
    await service.start()
    first.reject(boom)
    await loopTurns(2)
    expect(service).toMatchObject({ state: 'running', error: undefined })
    const end = watch(service.stop())
    await clock.advance(10)
    expect(end.state).toBe('rejected')
  })

  it('that throws at once does not fail the start', async () => {
    const service = new Probe({
      run: () => {
        throw boom
      },
    })
    await service.start()
    expect(await service.closed).toMatchObject({ state: 'failed', error: boom })
  })

  it('that returns ends the service as a stop does', async () => {
    const gate = deferred()
    const service = new Probe({ run: () => gate.promise })
    await service.start()
    gate.resolve()
    expect(await service.closed).toMatchObject({ state: 'stopped' })
    expect(service.log.slice(3)).toEqual(['run ended', 'stop', 'stop ended', 'close'])
  })

  it('tells the logger of clean-ups that fail after it has ended by itself', async () => {
    const logger = new RecordingLogger()
    const fails = (scope: ResourceScope): void => {
      scope.defer(() => Promise.reject(new Error('stuck')), { name: 'door' })
    }
    const ended = new Probe({ onStart: fails, run: () => {} }, { logger })
    await ended.start()
    expect(await ended.closed).toMatchObject({ state: 'failed' })
    const crashed = new Probe({ onStart: fails, run: () => Promise.reject(boom) }, { logger })
    await crashed.start()
    const { error } = await crashed.closed
    expect((error as AggregateError).errors).toEqual([boom, new Error('stuck')])
    await loopTurns(1)
    expect(logger.records.map(({ level, message }) => `${level} ${message}`)).toEqual([
      'error probe: it has ended, and not everything was closed',
      'error probe: it has crashed: run() threw',
      'error probe: it has ended, and not everything was closed',
    ])
    expect(await rejection(Promise.reject(crashed.error))).toBe(error)
  })

  it('that crashes during the stop is an error of the stop', async () => {
    const gate = deferred()
    const service = new Probe({ run: () => gate.promise, onStop: () => loopTurns(2) })
    await service.start()
    const stopping = watch(service.stop())
    gate.reject(boom)
    await loopTurns(5)
    expect((stopping.error as AggregateError).errors).toEqual([boom])
  })
})

describe('Service in all orders', () => {
  it('start, stop, crash and another start: one life at a time, the last word counts', async () => {
    const runs = await inAllOrders(async (choose) => {
      let lives = 0
      let most = 0
      const crash = handled()
      const service = new Probe({
        onStart: async (scope, signal) => {
          most = Math.max(most, ++lives)
          scope.defer(() => lives--)
          await sleep(0, { signal })
        },
        run: (signal) => Promise.race([crash.promise, heed(signal)]),
      })
      const calls: Watched<void>[] = []
      const start = { name: 'start', run: () => void calls.push(watch(service.start())) }
      const stop = { name: 'stop', run: () => void calls.push(watch(service.stop())) }
      const fail = { name: 'crash', run: () => crash.reject(boom) }
      await interleave(choose, [[start, stop], [start], [fail]], ['at once', 1, 'turn'])
      await loopTurns(12)
      expect(calls.map(({ state }) => state)).not.toContain('pending')
      expect(most).toBe(1)
      // It has crashed or was stopped, or it is about to hear of the crash.
      expect(['stopped', 'failed']).toContain(service.state)
      expect(lives).toBe(0)
      await service.stop()
    })
    expect(runs).toBe(12 * 3 ** 3)
  })

  it('as a property: whatever is called in whatever order, all calls settle and nothing is left open', async () => {
    const step = fc.constantFrom('start', 'stop', 'cut', 'crash', 'turn', 'time', 'abort')
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const clock = new FakeClock()
        let open = 0
        let crash = handled()
        let controller = new AbortController()
        const service = new Probe(
          {
            onStart: async (scope, signal) => {
              open++
              scope.defer(async () => {
                await sleep(3, { clock })
                open--
              })
              await sleep(5, { signal, clock })
              crash = handled()
            },
            run: (signal) => Promise.race([crash.promise, heed(signal)]),
            onStop: (signal) => sleep(20, { signal, clock }),
          },
          { clock },
        )
        const calls: Watched<unknown>[] = []
        for (const one of steps) {
          if (one === 'start') {
            controller = new AbortController()
            calls.push(watch(service.start({ signal: controller.signal })))
          } else if (one === 'stop') calls.push(watch(service.stop()))
          else if (one === 'cut') calls.push(watch(service.stop({ graceMs: 0 })))
          else if (one === 'crash') crash.reject(boom)
          else if (one === 'abort') controller.abort('enough')
          else if (one === 'time') await clock.advance(4)
          else await loopTurns(1)
          expect(open).toBeLessThanOrEqual(1)
        }
        calls.push(watch(service.stop()))
        await clock.advance(1_000)
        expect(calls.map(({ state }) => state)).not.toContain('pending')
        expect(['new', 'stopped', 'failed']).toContain(service.state)
        expect({ open, timers: clock.pendingTimers }).toEqual({ open: 0, timers: 0 })
      }),
      { numRuns: 100 },
    )
  })
})
