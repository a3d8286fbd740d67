/** What runs in the thread, run here. */
import { Script } from 'node:vm'
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import {
  answerCall,
  serveTasks,
  taskServerSource,
  type FromThread,
  type TaskPort,
  type ToThread,
} from '../../src/concurrency/task-server.js'
import { thrownFromWire, thrownToWire } from '../../src/concurrency/thread-error.js'
import { eventually } from '../support/eventually.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { thrownBy } from '../support/thrown-by.js'

guardAgainstLeaks()

/** A module as it would be loaded in a thread, and what came back through a real port. */
async function serve(
  tasks: Readonly<Record<string, unknown>>,
  messages: readonly ToThread[],
  replies: number,
): Promise<FromThread[]> {
  const { port1, port2 } = new MessageChannel()
  const seen: FromThread[] = []
  port1.on('message', (message: FromThread) => seen.push(message))
  serveTasks(port2, {
    load: (url) =>
      url === 'absent:' ? Promise.reject(new Error('absent')) : Promise.resolve(tasks),
    exit: () => port2.close(),
    answer: answerCall,
    toWire: thrownToWire,
    fromWire: thrownFromWire,
  })
  for (const message of [{ kind: 'load', url: 'here:' } as const, ...messages]) {
    port1.postMessage(message)
  }
  await eventually(() => seen.length === replies + 1, { what: 'all replies have come' })
  const isClosed = new Promise((resolve) => port1.once('close', resolve))
  port1.postMessage({ kind: 'exit' })
  await isClosed
  return seen.slice(1)
}

describe('serveTasks()', () => {
  it('says which functions the module has', async () => {
    const { port1, port2 } = new MessageChannel()
    const first = new Promise((resolve) => port1.once('message', resolve))
    serveTasks(port2, {
      load: async () => ({ add: () => {}, constant: 1 }),
      exit: () => {},
      answer: answerCall,
      toWire: thrownToWire,
      fromWire: thrownFromWire,
    })
    port1.postMessage({ kind: 'load', url: 'here:' })
    expect(await first).toEqual({ kind: 'ready', names: ['add'] })
    port1.close()
  })

  it('answers each call by its number, with a value or an error', async () => {
    const tasks = {
      double: (n: number) => n * 2,
      later: async () => 'done',
      fail: () => {
        throw new TypeError('no')
      },
      odd: () => () => {},
    }
    const call = (id: number, name: string): ToThread => ({ kind: 'call', id, name, input: id })
    const seen = await serve(
      tasks,
      [call(1, 'double'), call(2, 'later'), call(3, 'fail'), call(4, 'odd')],
      4,
    )
    const byId = seen.toSorted((a, b) => ('id' in a && 'id' in b ? a.id - b.id : 0))
    expect(byId).toEqual([
      { kind: 'value', id: 1, value: 2 },
      { kind: 'value', id: 2, value: 'done' },
      {
        kind: 'error',
        id: 3,
        error: expect.objectContaining({ name: 'TypeError', message: 'no' }),
      },
      { kind: 'error', id: 4, error: expect.objectContaining({ name: 'DataCloneError' }) },
    ])
  })

  it('tells a task of its abort, and takes one that comes too late', async () => {
    const heed = (_input: unknown, signal: AbortSignal): Promise<unknown> =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => resolve(signal.reason))
      })
    const abort: ToThread = { kind: 'abort', id: 1, reason: { kind: 'value', value: 'enough' } }
    const seen = await serve(
      { heed },
      [{ kind: 'call', id: 1, name: 'heed', input: 0 }, abort, { ...abort, id: 9 }],
      1,
    )
    expect(seen).toEqual([{ kind: 'value', id: 1, value: 'enough' }])
  })

  it('says why the module could not be loaded', async () => {
    const [reply] = await serve({}, [{ kind: 'load', url: 'absent:' }], 1)
    expect(reply).toEqual({
      kind: 'unready',
      error: expect.objectContaining({ message: 'absent' }),
    })
  })

  it('lets the thread crash for a message that cannot be read', () => {
    const listeners = new Map<string, (argument: never) => void>()
    const port = {
      on: (event: string, listener: (argument: never) => void) => listeners.set(event, listener),
      postMessage: () => {},
    } as unknown as TaskPort & MessagePort
    serveTasks(port, {
      load: async () => ({}),
      exit: () => {},
      answer: answerCall,
      toWire: thrownToWire,
      fromWire: thrownFromWire,
    })
    const error = new Error('unreadable')
    expect(thrownBy(() => listeners.get('messageerror')?.(error as never))).toBe(error)
  })
})

describe('taskServerSource()', () => {
  it('is a program that needs no other file', () => {
    const source = taskServerSource()
    expect(() => new Script(source)).not.toThrow()
    expect(source).not.toMatch(/__vite|__vi_|require\(/)
  })
})

describe('thrownToWire() and thrownFromWire()', () => {
  const travel = (thrown: unknown): unknown => thrownFromWire(structuredClone(thrownToWire(thrown)))

  it('cut a circle of causes', () => {
    const error = new Error('round')
    error.cause = error
    let depth = 0
    for (let at = travel(error); at instanceof Error; at = at.cause) depth++
    expect(depth).toBe(9)
    const group = new AggregateError([], 'group')
    group.errors.push(group)
    expect((travel(group) as AggregateError).errors).toHaveLength(1)
  })

  it('take what is odd as it is', () => {
    const bare = Object.assign(new Error('bare'), { stack: 5, name: 'Odd', code: 'E', cause: null })
    const back = travel(bare) as Error
    expect(back).toMatchObject({ name: 'Odd', message: 'bare', code: 'E', cause: null })
    expect(back.stack).toBeUndefined()
    expect(Object.keys(back)).toEqual(['code'])
    const foreign = { [Symbol.toStringTag]: 'Error', name: 'Foreign', message: 'from afar' }
    expect(travel(foreign)).toMatchObject({ name: 'Foreign', message: 'from afar' })
    expect(travel(new DOMException('stopped', 'AbortError'))).toMatchObject({ name: 'AbortError' })
    expect(travel(undefined)).toBeUndefined()
  })
})
