import { once, getEventListeners } from 'node:events'
import { MessageChannel, threadId, type MessagePort } from 'node:worker_threads'
import { describe, expect, it, onTestFinished } from 'vitest'
import { WorkerLoop, type WorkerLoopOptions } from '../../src/concurrency/worker-loop.js'
import { BrokenError, ClosedError, TimeoutError } from '../../src/errors.js'
import { loopTurns } from '../../src/testing/fake-clock.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { RecordingLogger } from '../support/recording-logger.js'
import { rejection, watch } from '../support/settled.js'

guardAgainstLeaks()

/** What worker-tasks.mjs exports. */
interface Tasks {
  readonly constant: number
  add(pair: readonly [number, number]): number
  whereAmI(): { threadId: number; workerData: unknown }
  mostAtATime(): number
  hold(value: string): Promise<string>
  letGo(): void
  heed(input: string, signal: AbortSignal): Promise<never>
  whatWasHeard(): string
  fail(kind: string): never
  notCloneable(): unknown
  size(buffer: ArrayBuffer): number
  spin(): never
  crash(): never
  leave(code: number): never
  sayAtExit(port: MessagePort): void
}

const TASKS = new URL('../support/worker-tasks.mjs', import.meta.url)

async function startLoop(options: WorkerLoopOptions = {}): Promise<WorkerLoop<Tasks>> {
  const loop = new WorkerLoop<Tasks>(TASKS, { name: 'loop', logger: false, ...options })
  onTestFinished(async () => {
    await loop.stop({ graceMs: 0 }).catch(() => {})
  })
  await loop.start()
  return loop
}

/** What was sent to the thread before has been read there afterwards. */
const roundTrip = async (loop: WorkerLoop<Tasks>): Promise<void> => {
  await loop.submit('mostAtATime')
}

describe('WorkerLoop.submit()', () => {
  it('runs a function of the module in a thread, and gives its result', async () => {
    const loop = await startLoop({ worker: { workerData: { answer: 42 } } })
    expect(await loop.submit('add', [3, 4])).toBe(7)
    const where = await loop.submit('whereAmI')
    expect(where.threadId).not.toBe(threadId)
    expect(where.workerData).toEqual({ answer: 42 })
    expect(loop.pending).toBe(0)
    await loop.stop()
    expect(loop.state).toBe('stopped')
  })

  it('has so many under way at a time, and lets the others wait for their turn', async () => {
    const loop = await startLoop({ maxInFlight: 3 })
    const calls = ['a', 'b', 'c', 'd'].map((name) => watch(loop.submit('hold', name)))
    expect(loop.pending).toBe(4)
    // All places are taken: this one has its turn never.
    const late = rejection(loop.submit('letGo', undefined, { timeoutMs: 1 }))
    expect(await late).toBeInstanceOf(TimeoutError)
    expect(loop.pending).toBe(4)
    await loop.stop({ graceMs: 0 })
    await loopTurns(1)
    for (const { error } of calls) expect(error).toBeInstanceOf(ClosedError)
  })

  it('lets tasks wait in the thread at the same time', async () => {
    const loop = await startLoop()
    const calls = ['a', 'b', 'c'].map((name) => loop.submit('hold', name))
    await loop.submit('letGo')
    expect(await Promise.all(calls)).toEqual(['a', 'b', 'c'])
    expect(await loop.submit('mostAtATime')).toBe(3)
  })

  it('hands over what is in transfer', async () => {
    const loop = await startLoop()
    const buffer = new ArrayBuffer(1_000)
    expect(await loop.submit('size', buffer, { transfer: [buffer] })).toBe(1_000)
    expect(buffer.byteLength).toBe(0)
  })

  it('rejects for a name that is no task, and for what cannot be cloned', async () => {
    const loop = await startLoop()
    const unknown = await rejection(loop.submit('ad' as 'add', [1, 2]))
    expect(unknown).toBeInstanceOf(TypeError)
    expect((unknown as Error).message).toContain('(add, crash, fail, ')
    expect((unknown as Error).message).toContain(', not ad')
    expect(await rejection(loop.submit('constant' as 'add', [1, 2]))).toBeInstanceOf(TypeError)
    const pair = [1, () => {}] as unknown as [number, number]
    expect(await rejection(loop.submit('add', pair))).toMatchObject({ name: 'DataCloneError' })
    expect(await rejection(loop.submit('notCloneable'))).toMatchObject({ name: 'DataCloneError' })
    expect(await loop.submit('add', [1, 2])).toBe(3)
    expect(loop.pending).toBe(0)
  })

  it('takes nothing unless the loop is running', async () => {
    const loop = new WorkerLoop<Tasks>(TASKS, { name: 'loop' })
    const error = await rejection(loop.submit('add', [1, 2]))
    expect(error).toBeInstanceOf(ClosedError)
    expect((error as Error).message).toBe('loop: it takes nothing in state new')
    expect(await rejection(loop.submit('add', [1, 2], { timeoutMs: 0 }))).toBeInstanceOf(RangeError)
  })
})

describe('WorkerLoop, when a task throws', () => {
  it('keeps name, message, code, cause and stack, and the class if it is one of the language', async () => {
    const loop = await startLoop()
    const type = (await rejection(loop.submit('fail', 'type'))) as NodeJS.ErrnoException
    expect(type).toBeInstanceOf(TypeError)
    expect(type).toMatchObject({ message: 'not a pipe', code: 'ERR_PIPE', errno: -7 })
    expect(type).not.toHaveProperty('deep')
    expect(type.stack).toContain('worker-tasks.mjs')

    const named = (await rejection(loop.submit('fail', 'named'))) as Error
    expect(named).toBeInstanceOf(Error)
    expect([named.name, named.message]).toEqual(['PipeError', 'bent'])
    expect(named.cause).toBeInstanceOf(RangeError)
    expect((named.cause as Error).cause).toBe('the wind')

    const several = (await rejection(loop.submit('fail', 'several'))) as AggregateError
    expect(several).toBeInstanceOf(AggregateError)
    expect(several.errors).toEqual([new Error('one'), 'two'])
    expect(await rejection(loop.submit('fail', 'value'))).toEqual({ plain: true })
    expect(await rejection(loop.submit('fail', 'symbol'))).toBe('Symbol(odd)')
    expect(loop.isRunning).toBe(true)
  })
})

describe('WorkerLoop.submit() with signal and timeoutMs', () => {
  it('calls nothing for a signal that has aborted before', async () => {
    const loop = await startLoop()
    const signal = AbortSignal.abort('no')
    expect(await rejection(loop.submit('hold', 'a', { signal }))).toBe('no')
    expect(loop.pending).toBe(0)
  })

  it('rejects at once, and tells the task', async () => {
    const loop = await startLoop()
    const controller = new AbortController()
    const call = watch(loop.submit('heed', 'a', { signal: controller.signal }))
    await roundTrip(loop)
    const reason = new RangeError('too far')
    controller.abort(reason)
    await loopTurns(1)
    expect(call.error).toBe(reason)
    expect(await loop.submit('whatWasHeard')).toBe('RangeError: too far')
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])

    const late = await rejection(loop.submit('heed', 'b', { timeoutMs: 5 }))
    expect(late).toBeInstanceOf(TimeoutError)
    expect((late as Error).message).toBe("loop: submit('heed'): not done within 5 ms")
    expect(await loop.submit('whatWasHeard')).toBe(`TimeoutError: ${(late as Error).message}`)
  })

  it('never calls a task that is aborted while it waits for its turn', async () => {
    const loop = await startLoop({ maxInFlight: 1 })
    const first = watch(loop.submit('hold', 'a'))
    const controller = new AbortController()
    const second = watch(loop.submit('crash', undefined, { signal: controller.signal }))
    await loopTurns(1)
    controller.abort('enough')
    await loopTurns(1)
    expect(second.error).toBe('enough')
    expect(loop.pending).toBe(1)
    await loop.stop({ graceMs: 0 })
    await loopTurns(1)
    expect(first.error).toBeInstanceOf(ClosedError)
  })
})

describe('WorkerLoop.stop()', () => {
  it('lets what is submitted come to its end, and the thread exit by itself', async () => {
    const loop = await startLoop({ maxInFlight: 1 })
    const { port1, port2 } = new MessageChannel()
    await loop.submit('sayAtExit', port2, { transfer: [port2] })
    const said = once(port1, 'message')
    const calls = [1, 2, 3].map((n) => loop.submit('add', [n, n]))
    const stopping = loop.stop()
    expect(await rejection(loop.submit('add', [0, 0]))).toBeInstanceOf(ClosedError)
    expect(await Promise.all(calls)).toEqual([2, 4, 6])
    await stopping
    expect(await said).toEqual(['bye'])
    port1.close()
    expect(loop.state).toBe('stopped')
    await loop.start()
    expect(await loop.submit('add', [1, 1])).toBe(2)
  })

  it('with drain: false drops what waits for its turn', async () => {
    const loop = await startLoop({ maxInFlight: 1, drain: false })
    const first = loop.submit('add', [1, 1])
    const second = loop.submit('add', [2, 2])
    await loop.stop()
    expect(await first).toBe(2)
    expect(await rejection(second)).toBeInstanceOf(ClosedError)
  })

  it('cuts off a thread that is busy at the end of the grace', async () => {
    const loop = await startLoop({ maxInFlight: 1, graceMs: 10 })
    const busy = watch(loop.submit('spin'))
    const waiting = watch(loop.submit('add', [1, 1]))
    await loop.stop()
    await loopTurns(1)
    expect(busy.error).toBeInstanceOf(ClosedError)
    expect((busy.error as Error).message).toBe('loop: it was stopped before the task was done')
    expect(waiting.error).toBeInstanceOf(ClosedError)
    expect(loop.state).toBe('stopped')
  })

  it('ends a start whose module does not come to its end', async () => {
    const module = 'data:text/javascript,await new Promise(() => {})'
    const loop = new WorkerLoop(module, { logger: false })
    const starting = watch(loop.start())
    await loop.stop()
    await loopTurns(1)
    expect(starting.error).toBeInstanceOf(ClosedError)
    expect(loop.state).toBe('stopped')
    expect(await rejection(loop.start({ timeoutMs: 20 }))).toBeInstanceOf(TimeoutError)
  })
})

describe('WorkerLoop, when its thread ends by itself', () => {
  it('rejects all calls, is failed, says so, and can be started again', async () => {
    const logger = new RecordingLogger()
    const loop = await startLoop({ maxInFlight: 2, logger })
    const calls = [
      watch(loop.submit('hold', 'a')),
      watch(loop.submit('crash')),
      watch(loop.submit('add', [1, 1])),
    ]
    const end = await loop.closed
    await loopTurns(1)
    for (const { error } of calls) expect(error).toBe(end.error)
    expect(end).toMatchObject({ state: 'failed' })
    expect(end.error).toBeInstanceOf(BrokenError)
    const crash = end.error as BrokenError
    expect(crash.message).toBe('loop: its thread has ended: the floor gave way')
    expect(crash.cause).toMatchObject({ message: 'the floor gave way', code: 'ERR_FLOOR' })
    expect(logger.records).toEqual([
      { level: 'error', fields: { err: crash }, message: 'loop: it has crashed: run() threw' },
    ])
    await loop.start()
    expect(await loop.submit('add', [2, 2])).toBe(4)
  })

  it('takes an exit for the same', async () => {
    const loop = await startLoop()
    const error = await rejection(loop.submit('leave', 3))
    expect((error as Error).message).toBe('loop: its thread has ended: it exited with code 3')
    expect((error as Error).cause).toBeUndefined()
    expect(await loop.closed).toMatchObject({ state: 'failed', error })
  })

  it('takes too much memory for the same', async () => {
    const hog = `data:text/javascript,export const eat = () => { for (const a = [];;) a.push(new Array(1e5).fill(1)) }`
    const loop = new WorkerLoop<{ eat(): never }>(hog, {
      logger: false,
      worker: { resourceLimits: { maxOldGenerationSizeMb: 16 }, stderr: true },
    })
    await loop.start()
    const error = (await rejection(loop.submit('eat'))) as BrokenError
    expect(error.cause).toMatchObject({ code: 'ERR_WORKER_OUT_OF_MEMORY' })
    expect((await loop.closed).state).toBe('failed')
  })
})

describe('WorkerLoop.start()', () => {
  it('rejects with what the module throws, and with what Node says of one that is not there', async () => {
    const fails = 'data:text/javascript,throw new RangeError("not today")'
    const loop = new WorkerLoop(fails, { logger: false })
    const error = await rejection(loop.start())
    expect(error).toEqual(new RangeError('not today'))
    expect(loop).toMatchObject({ state: 'failed', error })
    const absent = new WorkerLoop(new URL('absent.mjs', TASKS), { logger: false })
    expect(await rejection(absent.start())).toMatchObject({ code: 'ERR_MODULE_NOT_FOUND' })
  })

  it('rejects when the thread ends while the module is loaded', async () => {
    const loop = new WorkerLoop('data:text/javascript,process.exit(5)', { logger: false })
    expect(await rejection(loop.start())).toMatchObject({
      message: 'WorkerLoop: its thread has ended: it exited with code 5',
    })
  })
})

describe('new WorkerLoop()', () => {
  it('refuses what has no meaning', () => {
    expect(() => new WorkerLoop('./tasks.js')).toThrow(
      new TypeError(
        "module must be an absolute URL, such as new URL('./tasks.js', import.meta.url), not ./tasks.js",
      ),
    )
    expect(() => new WorkerLoop(TASKS, { maxInFlight: 0 })).toThrow(RangeError)
    expect(() => new WorkerLoop(TASKS, { graceMs: -1 })).toThrow(RangeError)
  })
})
