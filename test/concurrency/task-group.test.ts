/** Task groups. The first part goes through what CPython promises of `TaskGroup`. */
import { getEventListeners } from 'node:events'
import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as nodeTimeout } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { deferred } from '../../src/concurrency/deferred.js'
import { sleep } from '../../src/concurrency/sleep.js'
import { taskGroup, type TaskGroup } from '../../src/concurrency/task-group.js'
import { withTimeout } from '../../src/concurrency/timeout.js'
import { ClosedError, TimeoutError } from '../../src/errors.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { rejection, watch } from '../support/settled.js'
import { thrownBy } from '../support/thrown-by.js'

guardAgainstLeaks()

/** The messages of what is in an AggregateError, those of inner ones in lists. */
function messages(error: unknown): unknown {
  if (!(error instanceof AggregateError)) return error
  return error.errors.map((each: unknown) =>
    each instanceof AggregateError ? messages(each) : (each as Error).message,
  )
}

/** Tasks of a test, with its clock. */
function tasks(clock: FakeClock) {
  return {
    give:
      <T>(ms: number, value: T) =>
      async (signal: AbortSignal): Promise<T> => {
        await sleep(ms, { signal, clock })
        return value
      },
    crash:
      (ms: number, message = 'crash') =>
      async (signal: AbortSignal): Promise<never> => {
        await sleep(ms, { signal, clock })
        throw new Error(message)
      },
    /** Fails on the way out, whatever it was that ended it. */
    crashAtEnd:
      (message: string) =>
      async (signal: AbortSignal): Promise<never> => {
        await sleep(10_000, { signal, clock }).catch(() => {})
        throw new Error(message)
      },
  }
}

describe('asyncio.TaskGroup, as taskGroup()', () => {
  it('ends when all tasks are done, with their results', async () => {
    const clock = new FakeClock()
    const { give } = tasks(clock)
    const ended = watch(
      taskGroup((group) => [group.spawn(give(10, 42)), group.spawn(give(20, 11))] as const),
    )
    await clock.advance(19)
    expect(ended.state).toBe('pending')
    await clock.advance(1)
    expect(await Promise.all(ended.value ?? [])).toEqual([42, 11])
  })

  it('takes tasks while the body waits', async () => {
    const clock = new FakeClock()
    const { give } = tasks(clock)
    const result = taskGroup(async (group) => {
      const first = group.spawn(give(10, 42))
      await sleep(15, { signal: group.signal, clock })
      const second = group.spawn(give(20, 11))
      return [await first, await second]
    })
    await clock.advance(35)
    expect(await result).toEqual([42, 11])
  })

  it('task cancelled by itself: everything else goes on', async () => {
    const clock = new FakeClock()
    const { give } = tasks(clock)
    const cancel = new AbortController()
    const result = taskGroup(async (group) => {
      const first = group.spawn(give(100, 42), { signal: cancel.signal })
      await sleep(15, { signal: group.signal, clock })
      cancel.abort('cancelled')
      return [await rejection(first), await group.spawn(give(20, 11))]
    })
    await clock.advance(40)
    expect(await result).toEqual(['cancelled', 11])
  })

  it('child error: the others are aborted, and what is behind the group is not reached', async () => {
    const clock = new FakeClock()
    const { crash } = tasks(clock)
    const steps: unknown[] = []
    const runner = (async () => {
      await taskGroup((group) => {
        void group.spawn(crash(10))
        void group.spawn(async (signal) => {
          await sleep(100, { signal, clock }).catch((error: unknown) => {
            steps.push((error as Error).message)
            throw error
          })
          steps.push('never')
        })
      })
      steps.push('nor this')
    })()
    const error = rejection(runner)
    await clock.advance(10)
    expect(await error).toBeInstanceOf(AggregateError)
    expect(messages(await error)).toEqual(['crash'])
    expect(steps).toEqual(['task group: aborted, since a task failed: crash'])
  })

  it('child errors: the body is aborted, and all errors are kept', async () => {
    const clock = new FakeClock()
    const { crash, give } = tasks(clock)
    let bodySaw: unknown
    const error = rejection(
      taskGroup(async (group) => {
        for (const n of [1, 2, 3]) {
          void group.spawn(async () => {
            await sleep(10, { clock })
            throw new Error(`crash ${n}`)
          })
        }
        void group.spawn(give(50, 1))
        void group.spawn(crash(60))
        try {
          await sleep(100, { signal: group.signal, clock })
        } catch (reason) {
          bodySaw = reason
          throw reason
        }
      }),
    )
    await clock.advance(10)
    expect(messages(await error)).toEqual(['crash 1', 'crash 2', 'crash 3'])
    expect(await error).toMatchObject({ message: 'task group: 3 errors, the first: crash 1' })
    expect(bodySaw).toMatchObject({ name: 'AbortError', cause: { message: 'crash 1' } })
  })

  it.each([
    ['the body is through', false],
    ['the body still waits', true],
  ])('cancellation while %s: all are aborted, and the reason comes out', async (_when, waits) => {
    const clock = new FakeClock()
    const outer = new AbortController()
    let aborted = 0
    const count = async (signal: AbortSignal): Promise<void> => {
      await sleep(50, { signal, clock }).catch((error: unknown) => {
        aborted++
        throw error
      })
    }
    const ended = watch(
      taskGroup(
        async (group) => {
          for (let n = 0; n < 5; n++) void group.spawn(count)
          if (waits) await count(group.signal)
        },
        { signal: outer.signal },
      ),
    )
    await clock.advance(1)
    expect(ended.state).toBe('pending')
    outer.abort('cancelled')
    await loopTurns(1)
    expect(ended).toMatchObject({ state: 'rejected', error: 'cancelled' })
    expect(aborted).toBe(waits ? 6 : 5)
  })

  it('cancellation, and children that fail on the way out: their errors come first', async () => {
    const clock = new FakeClock()
    const { crashAtEnd } = tasks(clock)
    const outer = new AbortController()
    const error = rejection(
      taskGroup(
        async (group) => {
          for (const n of [1, 2]) void group.spawn(crashAtEnd(`end ${n}`))
          await sleep(10, { signal: group.signal, clock })
        },
        { signal: outer.signal },
      ),
    )
    outer.abort('cancelled')
    expect(messages(await error)).toEqual(['end 1', 'end 2'])
  })

  it.each([5, 0])('body error after %d ms: the tasks are aborted', async (ms) => {
    const clock = new FakeClock()
    const { give } = tasks(clock)
    const spawned: Promise<number>[] = []
    const error = rejection(
      taskGroup(async (group) => {
        spawned.push(group.spawn(give(100, 42)), group.spawn(give(200, 11)))
        if (ms > 0) await sleep(ms, { clock })
        throw new Error('body')
      }),
    )
    await clock.advance(ms)
    expect(messages(await error)).toEqual(['body'])
    for (const task of spawned) {
      expect(await rejection(task)).toMatchObject({ name: 'AbortError' })
    }
  })

  it.each([
    ['without a task of its own', false],
    ['with one', true],
  ])('nested, %s, cancelled: the errors of the inner one are one error', async (_what, own) => {
    const clock = new FakeClock()
    const { crashAtEnd, give } = tasks(clock)
    const outer = new AbortController()
    const error = rejection(
      taskGroup(
        async (group) => {
          if (own) void group.spawn(give(100, 1))
          await taskGroup(
            async (inner) => {
              for (const n of [1, 2]) void inner.spawn(crashAtEnd(`end ${n}`))
              await sleep(10_000, { signal: inner.signal, clock })
            },
            { signal: group.signal },
          )
        },
        { signal: outer.signal },
      ),
    )
    outer.abort('cancelled')
    expect(messages(await error)).toEqual([['end 1', 'end 2']])
  })

  it('nested, the outer one has a crash: the inner one is aborted, and adds no error', async () => {
    const clock = new FakeClock()
    const { crash } = tasks(clock)
    const error = rejection(
      taskGroup(async (group) => {
        void group.spawn(crash(10, 'outer'))
        await taskGroup(
          (inner) => {
            void inner.spawn(crash(1000, 'inner'))
          },
          { signal: group.signal },
        )
      }),
    )
    await clock.advance(10)
    expect(messages(await error)).toEqual(['outer'])
  })

  it('nested, the inner one has a crash: the outer one is aborted by it', async () => {
    const clock = new FakeClock()
    const { crash } = tasks(clock)
    const error = rejection(
      taskGroup(async (group) => {
        void group.spawn(crash(1000, 'outer'))
        await taskGroup(
          (inner) => {
            void inner.spawn(crash(10, 'inner'))
          },
          { signal: group.signal },
        )
      }),
    )
    await clock.advance(10)
    expect(messages(await error)).toEqual([['inner']])
  })

  it('crash while the body is on its way out of a cancellation: the crash comes first', async () => {
    const clock = new FakeClock()
    const outer = new AbortController()
    const error = rejection(
      taskGroup(
        async (group) => {
          void group.spawn(async () => {
            await sleep(30, { clock })
            throw new Error('crash')
          })
          try {
            await sleep(1000, { signal: group.signal, clock })
          } finally {
            await sleep(50, { clock })
          }
        },
        { signal: outer.signal },
      ),
    )
    outer.abort('cancelled')
    await clock.advance(50)
    expect(messages(await error)).toEqual(['crash'])
  })

  it('without tasks, cancelled: the body sees it, and the reason comes out', async () => {
    const clock = new FakeClock()
    const outer = new AbortController()
    let seen: unknown
    const error = rejection(
      taskGroup(
        async (group) => {
          await sleep(1000, { signal: group.signal, clock }).catch((reason: unknown) => {
            seen = reason
            throw reason
          })
        },
        { signal: outer.signal },
      ),
    )
    outer.abort('cancelled')
    expect(await error).toBe('cancelled')
    expect(seen).toBe('cancelled')
  })

  it('without tasks, cancelled, and the body fails in its own way: that is the error', async () => {
    const clock = new FakeClock()
    const outer = new AbortController()
    const error = rejection(
      taskGroup((group) => tasks(clock).crashAtEnd('mine')(group.signal), {
        signal: outer.signal,
      }),
    )
    outer.abort('cancelled')
    expect(messages(await error)).toEqual(['mine'])
  })

  it('child crash, and the body fails on the way out: both are kept', async () => {
    const clock = new FakeClock()
    const { crash, crashAtEnd } = tasks(clock)
    const error = rejection(
      taskGroup(async (group) => {
        void group.spawn(crash(10, 'child'))
        await crashAtEnd('body')(group.signal)
      }),
    )
    await clock.advance(10)
    expect(messages(await error)).toEqual(['child', 'body'])
  })

  it('forgets tasks that are done', async () => {
    const clock = new FakeClock()
    const { give } = tasks(clock)
    const sizes: number[] = []
    const result = taskGroup(async (group) => {
      for (let n = 0; n < 10; n++) {
        await sleep(10, { clock })
        void group.spawn(give(30, n))
      }
      sizes.push(group.size)
      await sleep(135, { clock })
      sizes.push(group.size)
    })
    await clock.advance(300)
    await result
    expect(sizes).toEqual([3, 0])
  })

  it('tasks start tasks, also when the body is through', async () => {
    const clock = new FakeClock()
    const { give } = tasks(clock)
    let root: TaskGroup | undefined
    const ended = watch(
      taskGroup((group) => {
        root = group
        void group.spawn(async () => {
          await sleep(10, { clock })
          void group.spawn(give(10, 1))
          void group.spawn(give(20, 2))
        })
      }),
    )
    await clock.advance(29)
    expect({ state: ended.state, size: root?.size }).toEqual({ state: 'pending', size: 1 })
    await clock.advance(1)
    expect(ended.state).toBe('resolved')
  })

  it('tasks that start tasks without end are ended by a crash', async () => {
    const clock = new FakeClock()
    const heads = { count: 0 }
    const error = rejection(
      taskGroup((group) => {
        const hydra = async (signal: AbortSignal): Promise<void> => {
          heads.count++
          await sleep(10, { signal, clock })
          void group.spawn(hydra)
          void group.spawn(hydra)
        }
        void group.spawn(hydra)
        void group.spawn(async (signal) => {
          while (heads.count < 10) await sleep(15, { signal, clock })
          throw new Error('hercules')
        })
      }),
    )
    await clock.advance(100)
    expect(messages(await error)).toEqual(['hercules'])
    expect(heads.count).toBeGreaterThanOrEqual(10)
  })

  it('task context: each task keeps the AsyncLocalStorage of its start', async () => {
    const storage = new AsyncLocalStorage<number>()
    const seen = await taskGroup((group) =>
      Promise.all(
        [1, 2].map((n) =>
          storage.run(n, () =>
            group.spawn(async () => {
              await loopTurns(1)
              return storage.getStore()
            }),
          ),
        ),
      ),
    )
    expect(seen).toEqual([1, 2])
  })

  it('no task after a failure: it is refused, its function not called, and that is no error of its own', async () => {
    const clock = new FakeClock()
    const { crash } = tasks(clock)
    let refusal: unknown
    let calls = 0
    const error = rejection(
      taskGroup((group) => {
        void group.spawn(crash(1))
        void group.spawn(async (signal) => {
          await sleep(1000, { signal, clock }).catch(() => {})
          try {
            void group.spawn(() => calls++)
          } catch (thrown) {
            refusal = thrown
            throw thrown
          }
        })
      }),
    )
    await clock.advance(1)
    expect(messages(await error)).toEqual(['crash'])
    expect(refusal).toBeInstanceOf(ClosedError)
    expect(refusal).toMatchObject({
      message: 'task group: it is being aborted and takes no more tasks',
      cause: { name: 'AbortError' },
    })
    expect(calls).toBe(0)
  })

  it('no task after the end', async () => {
    let kept: TaskGroup | undefined
    await taskGroup((group) => {
      kept = group
    })
    let calls = 0
    expect(thrownBy(() => kept?.spawn(() => calls++))).toEqual(
      new ClosedError(
        'task group: it has ended; spawn while its body or one of its tasks still runs',
      ),
    )
    expect(calls).toBe(0)
  })
})

describe('taskGroup()', () => {
  it('gives the result of the body, which need not be async', async () => {
    expect(await taskGroup(() => 5)).toBe(5)
    expect(await taskGroup(async () => 'five')).toBe('five')
  })

  it('keeps a single error in an AggregateError too', async () => {
    const boom = new Error('boom')
    const error = await rejection(taskGroup(() => Promise.reject(boom)))
    expect(error).toBeInstanceOf(AggregateError)
    expect(error).toMatchObject({ message: 'task group: 1 error: boom', errors: [boom] })
  })

  it('keeps an error once that the body and a sibling got by awaiting the task', async () => {
    const error = await rejection(
      taskGroup(async (group) => {
        const failing = group.spawn(async () => {
          await loopTurns(1)
          throw new Error('boom')
        })
        void group.spawn(async () => {
          await failing
        })
        await failing
      }),
    )
    expect(messages(error)).toEqual(['boom'])
  })

  it('keeps what is no Error', async () => {
    const error = await rejection(
      taskGroup((group) => {
        void group.spawn(() => Promise.reject('text'))
      }),
    )
    expect(error).toMatchObject({ message: 'task group: 1 error: text', errors: ['text'] })
  })

  it('is failed by a task whose error the body has caught', async () => {
    const error = await rejection(
      taskGroup(async (group) => {
        await group.spawn(() => Promise.reject(new Error('boom'))).catch(() => {})
        return 'as if nothing had happened'
      }),
    )
    expect(messages(error)).toEqual(['boom'])
  })

  it('waits for a task that does not heed its signal', async () => {
    const clock = new FakeClock()
    const ended = watch(
      taskGroup((group) => {
        void group.spawn(() => sleep(100, { clock }))
        throw new Error('body')
      }),
    )
    await clock.advance(99)
    expect(ended.state).toBe('pending')
    await clock.advance(1)
    expect(messages(ended.error)).toEqual(['body'])
  })

  it('understands the AbortErrors of Node, which are not the reason itself', async () => {
    const clock = new FakeClock()
    const error = rejection(
      taskGroup((group) => {
        void group.spawn(tasks(clock).crash(10))
        void group.spawn((signal) => nodeTimeout(60_000, undefined, { signal }))
      }),
    )
    await clock.advance(10)
    expect(messages(await error)).toEqual(['crash'])
  })

  it('takes an AbortError that is not its doing for a failure', async () => {
    const error = await rejection(
      taskGroup((group) => {
        void group.spawn(() => Promise.reject(new DOMException('theirs', 'AbortError')))
      }),
    )
    expect(messages(error)).toEqual(['theirs'])
  })

  it('rejects with the reason although the body returned in spite of it', async () => {
    const outer = new AbortController()
    const result = taskGroup(
      async () => {
        outer.abort('cancelled')
        return 'result'
      },
      { signal: outer.signal },
    )
    expect(await rejection(result)).toBe('cancelled')
  })

  it('does not run the body when the signal has aborted', async () => {
    let runs = 0
    const error = await rejection(taskGroup(() => runs++, { signal: AbortSignal.abort('before') }))
    expect({ error, runs }).toEqual({ error: 'before', runs: 0 })
  })

  it('in a time limit ends with the TimeoutError', async () => {
    const clock = new FakeClock()
    const result = rejection(
      withTimeout(
        (signal) =>
          taskGroup(
            (group) => {
              void group.spawn(tasks(clock).give(1000, 1))
            },
            { signal },
          ),
        10,
        { clock },
      ),
    )
    await clock.advance(10)
    expect(await result).toBeInstanceOf(TimeoutError)
  })

  it('leaves no listener on the outer signal', async () => {
    const { signal } = new AbortController()
    await taskGroup((group) => group.spawn(() => 1), { signal })
    await rejection(taskGroup(() => Promise.reject(new Error('no')), { signal }))
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('refuses a body that is no function', async () => {
    expect(await rejection(taskGroup(null as never))).toEqual(
      new TypeError('body must be a function, not null'),
    )
  })
})

describe('TaskGroup.spawn()', () => {
  it('calls the function at once, with the signal of the group', async () => {
    await taskGroup((group) => {
      let signal: AbortSignal | undefined
      void group.spawn((given) => {
        signal = given
      })
      expect(signal).toBe(group.signal)
      expect(group.size).toBe(1)
    })
  })

  it('makes a failure of the group of what the function throws at once', async () => {
    const error = await rejection(
      taskGroup((group) => {
        void group.spawn(() => {
          throw new Error('at once')
        })
      }),
    )
    expect(messages(error)).toEqual(['at once'])
  })

  it('does not call the function when the signal of the task has aborted', async () => {
    let calls = 0
    const signal = AbortSignal.abort('before')
    const error = await taskGroup((group) => rejection(group.spawn(() => calls++, { signal })))
    expect({ error, calls }).toEqual({ error: 'before', calls: 0 })
  })

  it('with a signal of its own hears of the abort of the group as well', async () => {
    const own = new AbortController()
    const outer = new AbortController()
    const result = rejection(
      taskGroup(
        (group) => {
          void group.spawn((signal) => sleep(1000, { signal }), { signal: own.signal })
        },
        { signal: outer.signal },
      ),
    )
    outer.abort('cancelled')
    expect(await result).toBe('cancelled')
    expect(getEventListeners(own.signal, 'abort')).toEqual([])
  })

  it('with a signal of its own fails the group when it fails in its own way', async () => {
    const own = new AbortController()
    const error = rejection(
      taskGroup((group) => {
        void group.spawn(tasks(new FakeClock()).crashAtEnd('mine'), { signal: own.signal })
      }),
    )
    own.abort()
    expect(messages(await error)).toEqual(['mine'])
  })

  it('may go unawaited: the rejection is the group’s', async () => {
    const error = await rejection(
      taskGroup((group) => {
        void group.spawn(() => Promise.reject(new Error('boom')))
      }),
    )
    expect(messages(error)).toEqual(['boom'])
    // The leak guard fails on an unhandled rejection.
    await loopTurns(2)
  })

  it('refuses what is no function', async () => {
    await taskGroup((group) => {
      expect(thrownBy(() => group.spawn(Promise.resolve() as never))).toEqual(
        new TypeError('fn must be a function, not object'),
      )
    })
  })

  it('takes tasks from outside while the body waits, and counts them', async () => {
    const gate = deferred()
    let kept: TaskGroup | undefined
    const ended = watch(
      taskGroup(async (group) => {
        kept = group
        await gate.promise
      }),
    )
    const task = deferred()
    void kept?.spawn(() => task.promise)
    gate.resolve()
    await loopTurns(1)
    expect({ state: ended.state, size: kept?.size }).toEqual({ state: 'pending', size: 1 })
    task.resolve()
    await loopTurns(1)
    expect(ended.state).toBe('resolved')
  })
})
