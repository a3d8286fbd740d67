import { getEventListeners } from 'node:events'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { deferred, type Deferred } from '../../src/concurrency/deferred.js'
import type { Resource } from '../../src/concurrency/disposal.js'
import { ResourceScope } from '../../src/concurrency/resource-scope.js'
import { ClosedError, TimeoutError } from '../../src/errors.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { RecordingLogger } from '../support/recording-logger.js'
import { rejection, watch } from '../support/settled.js'
import { thrownBy } from '../support/thrown-by.js'

guardAgainstLeaks()

/** A resource that notes its end, and ends when the test says so, if it is to. */
class Thing {
  readonly #name: string
  readonly #ended: string[]
  readonly #gate: Promise<void> | undefined

  constructor(name: string, ended: string[], gate?: Promise<void>) {
    this.#name = name
    this.#ended = ended
    this.#gate = gate
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#gate
    this.#ended.push(this.#name)
  }
}

const boom = (message: string) => (): never => {
  throw new Error(message)
}

describe('ResourceScope.close()', () => {
  it('cleans up in reverse order, one after the other', async () => {
    const ended: string[] = []
    const gate = deferred()
    const scope = new ResourceScope()
    const first = scope.use(new Thing('first', ended))
    expect(first).toBeInstanceOf(Thing)
    expect(scope.adopt('a path', (path) => ended.push(path))).toBe('a path')
    scope.use(new Thing('slow', ended, gate.promise))
    scope.defer(() => ended.push('last'))
    scope.use({ [Symbol.dispose]: () => ended.push('sync') })
    expect(scope).toMatchObject({ size: 5, state: 'open' })

    const closing = watch(scope.close())
    await loopTurns(2)
    expect(ended).toEqual(['sync', 'last'])
    expect(scope).toMatchObject({ size: 2, state: 'closing' })
    gate.resolve()
    await closing.promise
    expect(ended).toEqual(['sync', 'last', 'slow', 'a path', 'first'])
    expect(scope).toMatchObject({ size: 0, state: 'closed' })
  })

  it('calls each clean-up once, however often it is called', async () => {
    const ended: string[] = []
    const scope = new ResourceScope()
    scope.defer(() => ended.push('one'))
    await Promise.all([scope.close(), scope.close(), scope[Symbol.asyncDispose]()])
    await scope.close()
    expect(ended).toEqual(['one'])
  })

  it('goes on after a failure, and names all that failed in one AggregateError', async () => {
    const ended: string[] = []
    const scope = new ResourceScope({ name: 'upload' })
    scope.defer(boom('the disk is full'), { name: 'the journal' })
    scope.use(new Thing('thing', ended))
    scope.defer(() => Promise.reject('a word'))
    scope.defer(function flush() {
      throw new TypeError('not a pipe')
    })
    const error = (await rejection(scope.close())) as AggregateError
    expect(error).toBeInstanceOf(AggregateError)
    expect(error.message).toBe(
      'upload: 3 of 4 clean-ups failed: flush: not a pipe; no. 3: a word; the journal: the disk is full',
    )
    expect(error.errors).toEqual([
      new TypeError('not a pipe'),
      'a word',
      new Error('the disk is full'),
    ])
    expect(error.cause).toBeUndefined()
    expect(ended).toEqual(['thing'])
    expect(scope.state).toBe('closed')
    expect(await rejection(scope.close())).toBe(error)
  })

  it('may fail unawaited', async () => {
    const scope = new ResourceScope()
    scope.defer(boom('nobody minds'))
    void scope.close()
    await loopTurns(2)
    expect(scope.state).toBe('closed')
  })

  it('passes over a clean-up that takes too long, and names it', async () => {
    const clock = new FakeClock()
    const logger = new RecordingLogger()
    const ended: string[] = []
    const scope = new ResourceScope({ clock, logger, cleanupTimeoutMs: 500 })
    const stuck = deferred()
    let told: unknown
    scope.use(new Thing('first', ended))
    scope.defer(
      (signal) => {
        signal.addEventListener('abort', () => (told = signal.reason))
        return stuck.promise
      },
      { name: 'database', cleanupTimeoutMs: 200 },
    )
    const closing = watch(scope.close())
    await clock.advance(199)
    expect(closing.state).toBe('pending')
    await clock.advance(1)
    expect(ended).toEqual(['first'])
    const { errors, message } = closing.error as AggregateError
    expect(message).toBe(
      'resource scope: 1 of 2 clean-ups failed: database: not done within 200 ms',
    )
    expect(errors).toEqual([expect.objectContaining({ phase: 'call', timeoutMs: 200 })])
    expect(told).toBe(errors[0])
    expect(clock.pendingTimers).toBe(0)

    stuck.reject(new Error('too late'))
    await loopTurns(1)
    expect(logger.records).toEqual([
      {
        level: 'warn',
        fields: { err: new Error('too late') },
        message:
          'resource scope: the clean-up of database failed, and nobody waits for it any more',
      },
    ])
  })

  it('tells nothing of a clean-up that was passed over and then ends with its abort', async () => {
    const clock = new FakeClock()
    const logger = new RecordingLogger()
    const scope = new ResourceScope({ clock, logger, cleanupTimeoutMs: 10 })
    scope.defer(async (signal) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      await loopTurns(1)
      throw signal.reason
    })
    const closing = watch(scope.close())
    await clock.advance(10)
    await loopTurns(2)
    expect(closing.state).toBe('rejected')
    expect(logger.records).toEqual([])
  })

  it('has no time limit for Infinity, and 30 s unless said', async () => {
    const clock = new FakeClock()
    const scope = new ResourceScope({ clock })
    const gate = deferred()
    scope.defer(() => gate.promise, { cleanupTimeoutMs: Infinity })
    scope.defer(() => new Promise(() => {}), { name: 'stuck' })
    const closing = watch(scope.close())
    await clock.advance(29_999)
    expect(scope.size).toBe(1)
    await clock.advance(1)
    expect(scope.size).toBe(0)
    await clock.advance(1e9)
    expect(closing.state).toBe('pending')
    gate.resolve()
    await loopTurns(1)
    expect(closing.state).toBe('rejected')
  })

  it('gives a scope within a scope the time of its own clean-ups', async () => {
    const clock = new FakeClock()
    const ended: string[] = []
    const outer = new ResourceScope({ clock, cleanupTimeoutMs: 100 })
    outer.use(new Thing('outer', ended))
    const inner = outer.use(new ResourceScope({ clock, cleanupTimeoutMs: 80 }))
    inner.defer(() => new Promise(() => {}), { name: 'a' })
    inner.defer(() => new Promise(() => {}), { name: 'b' })
    const closing = watch(outer.close())
    await clock.advance(160)
    expect((closing.error as Error).message).toBe(
      'resource scope: 1 of 2 clean-ups failed: ResourceScope: resource scope: 2 of 2 clean-ups failed: ' +
        'b: not done within 80 ms; a: not done within 80 ms',
    )
    expect(ended).toEqual(['outer'])
  })

  it('takes signal and timeoutMs for the wait alone', async () => {
    const clock = new FakeClock()
    const ended: string[] = []
    const gate = deferred()
    const scope = new ResourceScope({ clock })
    scope.use(new Thing('thing', ended, gate.promise))
    expect(await rejection(scope.close({ signal: AbortSignal.abort('no') }))).toBe('no')
    expect(scope.state).toBe('open')
    expect(await rejection(scope.close({ timeoutMs: 0 }))).toBeInstanceOf(RangeError)
    expect(scope.state).toBe('open')

    const controller = new AbortController()
    const aborted = watch(scope.close({ signal: controller.signal }))
    const late = watch(scope.close({ timeoutMs: 5 }))
    controller.abort('enough')
    await clock.advance(5)
    expect(aborted.error).toBe('enough')
    expect(late.error).toBeInstanceOf(TimeoutError)
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    expect(scope.state).toBe('closing')
    gate.resolve()
    await scope.close()
    expect(ended).toEqual(['thing'])
  })

  it('tells all that use its signal, before the first clean-up', async () => {
    const scope = new ResourceScope()
    const order: string[] = []
    scope.defer(() => order.push('clean-up'))
    scope.signal.addEventListener('abort', () => order.push('signal'))
    await scope.close()
    expect(order).toEqual(['signal', 'clean-up'])
    expect(scope.signal.reason).toBeInstanceOf(ClosedError)
  })

  it('is what await using calls', async () => {
    const ended: string[] = []
    {
      await using scope = new ResourceScope()
      scope.use(new Thing('thing', ended))
      expect(ended).toEqual([])
    }
    expect(ended).toEqual(['thing'])
  })
})

describe('ResourceScope.use(), adopt() and defer()', () => {
  it('take null and undefined for nothing', async () => {
    const scope = new ResourceScope()
    expect(scope.use(null)).toBe(null)
    expect(scope.use(undefined)).toBe(undefined)
    expect(scope.size).toBe(0)
    await scope.close()
  })

  it('prefer the asynchronous method, and call it on the resource', async () => {
    const scope = new ResourceScope()
    const calls: unknown[] = []
    const resource = {
      [Symbol.dispose]: () => calls.push('sync'),
      [Symbol.asyncDispose](this: unknown) {
        calls.push(this)
        return Promise.resolve()
      },
    }
    scope.use(resource)
    await scope.close()
    expect(calls).toEqual([resource])
  })

  it('refuse what has no meaning, and register nothing', () => {
    const scope = new ResourceScope()
    expect(thrownBy(() => scope.use(new Date() as unknown as Resource))).toEqual(
      new TypeError(
        'a resource must have [Symbol.asyncDispose]() or [Symbol.dispose](): Date has neither',
      ),
    )
    expect(() => scope.use('text' as unknown as Resource)).toThrow('string has neither')
    expect(() => scope.adopt(1, 'no' as unknown as () => void)).toThrow(
      new TypeError('dispose must be a function, not string'),
    )
    expect(() => scope.defer(null as unknown as () => void)).toThrow(TypeError)
    expect(() => scope.defer(() => {}, { cleanupTimeoutMs: -1 })).toThrow(
      new RangeError('cleanupTimeoutMs must be a number of milliseconds above 0, not -1'),
    )
    expect(() => new ResourceScope({ cleanupTimeoutMs: 0 })).toThrow(RangeError)
    expect(scope.size).toBe(0)
  })

  it('refuse a newcomer while it closes, and clean it up next, errors and all', async () => {
    const ended: string[] = []
    const gate = deferred()
    const scope = new ResourceScope({ name: 'house' })
    scope.use(new Thing('first', ended))
    scope.use(new Thing('slow', ended, gate.promise))
    const closing = watch(scope.close())
    const error = thrownBy(() => scope.use(new Thing('late', ended)))
    expect(error).toBeInstanceOf(ClosedError)
    expect((error as Error).message).toBe('house: it is being closed and takes no more resources')
    expect(() => scope.defer(boom('late trouble'), { name: 'later' })).toThrow(ClosedError)
    gate.resolve()
    await loopTurns(2)
    expect(ended).toEqual(['slow', 'late', 'first'])
    expect((closing.error as Error).message).toBe(
      'house: 1 of 4 clean-ups failed: later: late trouble',
    )
  })

  it('refuse a newcomer after the close, clean it up at once, and tell of its errors', async () => {
    const logger = new RecordingLogger()
    const ended: string[] = []
    const scope = new ResourceScope({ logger })
    await scope.close()
    expect(() => scope.use(new Thing('late', ended))).toThrow(
      'resource scope: it is closed and takes no more resources',
    )
    expect(() => scope.adopt(7, boom('no such file'), { name: 'file' })).toThrow(ClosedError)
    await loopTurns(1)
    expect(ended).toEqual(['late'])
    expect(logger.records).toEqual([
      expect.objectContaining({ level: 'warn', fields: { err: new Error('no such file') } }),
    ])
  })
})

describe('ResourceScope.enter()', () => {
  it('registers what it has acquired', async () => {
    const ended: string[] = []
    const scope = new ResourceScope()
    const thing = await scope.enter(async () => new Thing('thing', ended))
    const path = await scope.enter(
      () => 'a path',
      (value) => ended.push(value),
    )
    expect(thing).toBeInstanceOf(Thing)
    expect(path).toBe('a path')
    expect(await scope.enter(() => null)).toBe(null)
    await scope.close()
    expect(ended).toEqual(['a path', 'thing'])
  })

  it('registers nothing when the acquisition fails', async () => {
    const scope = new ResourceScope()
    const refused = new Error('refused')
    expect(await rejection(scope.enter(() => Promise.reject(refused)))).toBe(refused)
    expect(await rejection(scope.enter(boom('thrown')))).toEqual(new Error('thrown'))
    expect(await rejection(scope.enter(7 as never))).toBeInstanceOf(TypeError)
    expect(await rejection(scope.enter(() => ({}) as Disposable))).toBeInstanceOf(TypeError)
    const noTime = { cleanupTimeoutMs: NaN }
    expect(await rejection(scope.enter(() => null, noTime))).toBeInstanceOf(RangeError)
    expect(scope.size).toBe(0)
    await scope.close()
  })

  it('rejects with the reason of the abort, or of the time, when the acquisition heeds it', async () => {
    const clock = new FakeClock()
    const scope = new ResourceScope({ clock })
    const controller = new AbortController()
    const heeding = (signal: AbortSignal): Promise<Thing> =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason))
      })
    const aborted = watch(scope.enter(heeding, { signal: controller.signal }))
    const late = watch(scope.enter(heeding, { timeoutMs: 50, name: 'the line' }))
    controller.abort('no more')
    await clock.advance(50)
    expect(aborted.error).toBe('no more')
    expect((late.error as Error).message).toBe(
      'resource scope: acquiring the line: not done within 50 ms',
    )
    let calls = 0
    const never = scope.enter(() => void calls++, { signal: controller.signal })
    expect(await rejection(never)).toBe('no more')
    expect(calls).toBe(0)
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    expect(scope.size).toBe(0)
    await scope.close()
    expect(clock.pendingTimers).toBe(0)
  })

  it('keeps and gives a resource that comes in spite of an abort', async () => {
    const ended: string[] = []
    const scope = new ResourceScope()
    const controller = new AbortController()
    const gate = deferred<Thing>()
    const entering = scope.enter(() => gate.promise, { signal: controller.signal })
    controller.abort()
    gate.resolve(new Thing('thing', ended))
    expect(await entering).toBeInstanceOf(Thing)
    await scope.close()
    expect(ended).toEqual(['thing'])
  })

  it('is aborted by the close, which waits for it and cleans up what comes all the same', async () => {
    const ended: string[] = []
    const scope = new ResourceScope()
    scope.use(new Thing('first', ended))
    const gate = deferred<Thing>()
    let reason: unknown
    const entering = watch(
      scope.enter((signal) => {
        signal.addEventListener('abort', () => (reason = signal.reason))
        return gate.promise
      }),
    )
    const closing = watch(scope.close())
    await loopTurns(1)
    expect(reason).toBeInstanceOf(ClosedError)
    expect(ended).toEqual([])
    gate.resolve(new Thing('newcomer', ended))
    await closing.promise
    expect(ended).toEqual(['newcomer', 'first'])
    expect(entering.error).toBeInstanceOf(ClosedError)
    expect(await rejection(scope.enter(() => null))).toBeInstanceOf(ClosedError)
  })

  it('does not make its own error one of the close', async () => {
    const scope = new ResourceScope()
    const gate = deferred<null>()
    const entering = watch(scope.enter(() => gate.promise))
    const closing = scope.close()
    gate.reject(new Error('refused'))
    await closing
    expect(entering.error).toEqual(new Error('refused'))
  })

  it('is passed over by the close when it takes too long, and cleaned up when it comes', async () => {
    const clock = new FakeClock()
    const ended: string[] = []
    const scope = new ResourceScope({ clock, cleanupTimeoutMs: 100 })
    scope.use(new Thing('first', ended))
    const gate = deferred<Thing>()
    const entering = watch(scope.enter(() => gate.promise, { name: 'the line' }))
    const closing = watch(scope.close())
    await clock.advance(100)
    expect((closing.error as Error).message).toBe(
      'resource scope: 1 of 2 clean-ups failed: acquiring the line: not done within 100 ms',
    )
    expect(ended).toEqual(['first'])
    gate.resolve(new Thing('newcomer', ended))
    await loopTurns(1)
    expect(entering.error).toBeInstanceOf(ClosedError)
    expect(ended).toEqual(['first', 'newcomer'])
  })
})

describe('ResourceScope.move()', () => {
  it('hands everything over, and cleans up nothing', async () => {
    const ended: string[] = []
    const scope = new ResourceScope({ name: 'building' })
    scope.use(new Thing('first', ended))
    scope.use(new Thing('second', ended))
    const gate = deferred<Thing>()
    const entering = watch(scope.enter(() => gate.promise))
    const next = scope.move()
    await scope.close()
    expect(ended).toEqual([])
    expect(scope).toMatchObject({ state: 'closed', size: 0 })
    expect(next).toMatchObject({ state: 'open', size: 2, name: 'building' })
    gate.resolve(new Thing('late', ended))
    await loopTurns(1)
    expect(entering.error).toBeInstanceOf(ClosedError)
    expect(ended).toEqual(['late'])
    expect(() => scope.move()).toThrow(ClosedError)
    await next.close()
    expect(ended).toEqual(['late', 'second', 'first'])
  })
})

describe('ResourceScope.run()', () => {
  it('gives the result when all is cleaned up', async () => {
    const ended: string[] = []
    const result = await ResourceScope.run(async (scope) => {
      scope.use(new Thing('thing', ended))
      await loopTurns(1)
      return 42
    })
    expect(result).toBe(42)
    expect(ended).toEqual(['thing'])
  })

  it('throws the error of the function as it is when all clean-ups succeed', async () => {
    const ended: string[] = []
    const error = new Error('the body')
    const run = ResourceScope.run((scope) => {
      scope.use(new Thing('thing', ended))
      throw error
    })
    expect(await rejection(run)).toBe(error)
    expect(ended).toEqual(['thing'])
  })

  it('keeps the error of the function first when clean-ups fail too', async () => {
    const own = new Error('the body')
    const shared = new Error('the line is cut')
    const run = ResourceScope.run(
      (scope) => {
        scope.defer(boom('the disk'), { name: 'disk' })
        scope.defer(() => Promise.reject(shared), { name: 'line' })
        scope.defer(() => Promise.reject(shared), { name: 'second line' })
        throw own
      },
      { name: 'job' },
    )
    const error = (await rejection(run)) as AggregateError
    expect(error.message).toBe(
      'job: the body; afterwards 3 of 3 clean-ups failed: ' +
        'second line: the line is cut; line: the line is cut; disk: the disk',
    )
    expect(error.cause).toBe(own)
    expect(error.errors).toEqual([own, shared, new Error('the disk')])
  })

  it('throws the errors of the clean-ups alone when the function succeeds', async () => {
    const run = ResourceScope.run((scope) => scope.defer(boom('the disk'), { name: 'disk' }))
    const error = (await rejection(run)) as AggregateError
    expect(error.message).toBe('resource scope: 1 of 1 clean-ups failed: disk: the disk')
    expect(error.errors).toEqual([new Error('the disk')])
    expect(error.cause).toBeUndefined()
  })

  it('does not wrap the error of its own scope that the function has met itself', async () => {
    let met: unknown
    const run = ResourceScope.run(async (scope) => {
      scope.defer(boom('the disk'))
      met = await rejection(scope.close())
      throw met
    })
    expect(await rejection(run)).toBe(met)
  })

  it('aborts the function, not the clean-ups, with signal and timeoutMs', async () => {
    const clock = new FakeClock()
    const ended: string[] = []
    const heeding = async (scope: ResourceScope, signal: AbortSignal): Promise<void> => {
      scope.defer((own) => ended.push(`clean-up ${own.aborted}`))
      await new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason))
      })
    }
    const late = watch(ResourceScope.run(heeding, { timeoutMs: 30, clock }))
    const controller = new AbortController()
    const aborted = watch(ResourceScope.run(heeding, { signal: controller.signal, clock }))
    controller.abort('enough')
    await clock.advance(30)
    expect(aborted.error).toBe('enough')
    expect(late.error).toMatchObject({ phase: 'call', timeoutMs: 30 })
    expect(ended).toEqual(['clean-up false', 'clean-up false'])
    expect(await rejection(ResourceScope.run(heeding, { signal: controller.signal }))).toBe(
      'enough',
    )
    expect(await rejection(ResourceScope.run(5 as never))).toBeInstanceOf(TypeError)
    expect(clock.pendingTimers).toBe(0)
  })
})

it('ResourceScope, as a property: each clean-up is called once, in reverse, whatever else fails or hangs', async () => {
  const kinds = fc.constantFrom('fine', 'slow', 'fails', 'hangs')
  const resource = fc.record({ kind: kinds, adds: fc.boolean() })
  await fc.assert(
    fc.asyncProperty(fc.array(resource, { maxLength: 12 }), async (plan) => {
      const clock = new FakeClock()
      const scope = new ResourceScope({ clock, cleanupTimeoutMs: 100, logger: false })
      const begun: string[] = []
      const expected: string[] = []
      const refusals: unknown[] = []
      let failing = 0
      for (const [n, { kind, adds }] of plan.entries()) {
        scope.defer(
          async () => {
            begun.push(`${n}`)
            // One more that comes too late: refused, and next in turn.
            if (adds) refusals.push(thrownBy(() => scope.defer(() => begun.push(`${n}+`))))
            const gate: Deferred = deferred()
            if (kind === 'slow') clock.setTimeout(gate.resolve, 99)
            if (kind === 'slow' || kind === 'hangs') await gate.promise
            if (kind === 'fails') throw new Error(`${n}`)
          },
          { name: `${n}` },
        )
        expected.unshift(`${n}`, ...(adds ? [`${n}+`] : []))
        if (kind === 'fails' || kind === 'hangs') failing++
      }
      const closing = watch(scope.close())
      await clock.advance(100 * plan.length)
      expect(begun).toEqual(expected)
      expect(closing.state).toBe(failing === 0 ? 'resolved' : 'rejected')
      const errors = (closing.error as AggregateError | undefined)?.errors ?? []
      expect(errors).toHaveLength(failing)
      expect(refusals.every((refusal) => refusal instanceof ClosedError)).toBe(true)
      expect(clock.pendingTimers).toBe(0)
    }),
    { numRuns: 60 },
  )
})
