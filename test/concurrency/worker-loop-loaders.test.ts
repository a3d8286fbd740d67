/** A thread loads its module as the process would: through what `--import` has registered. */
import { expect, test } from 'vitest'
import { WorkerLoop } from '../../src/concurrency/worker-loop.js'
import type * as cpuWork from '../../examples/asyncio-tutorial/cpu-work.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'

guardAgainstLeaks()

const TYPESCRIPT = new URL('../../tools/typescript.mjs', import.meta.url).href
const CPU_WORK = new URL('../../examples/asyncio-tutorial/cpu-work.ts', import.meta.url)

test('WorkerLoop runs the modules of --import in its thread, so that a task can be TypeScript', async () => {
  await using loop = new WorkerLoop<typeof cpuWork>(CPU_WORK, {
    worker: { execArgv: ['--import', TYPESCRIPT] },
  })
  await loop.start()
  expect(await loop.submit('sumOfSquares', 4)).toBe(14)
})

test('WorkerLoop.submit() rejects with a stack that does not have the text of its own program in it', async () => {
  const module = `export function fail() { throw new Error('out of luck') }`
  await using loop = new WorkerLoop(`data:text/javascript,${encodeURIComponent(module)}`)
  await loop.start()
  const error: unknown = await loop.submit('fail').catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(Error)
  const { stack = '' } = error as Error
  expect(stack).toContain('fail')
  expect(stack).toContain('standpipe:task-server')
  expect(stack).not.toContain(encodeURIComponent('parentPort'))
})
