/**
 * 7.1 What calls cost, by name.
 *
 * The tutorial keeps the duration of every call, so that its memory grows with the calls, takes it from a clock that can
 * be set back, and counts no errors. Here each name has a histogram of a fixed size, and the clock is monotonic.
 */
import { sleep } from 'standpipe/concurrency'
import { Profiler } from 'standpipe/observe'

const profiler = new Profiler()

const fastOperation = profiler.wrap('fast operation', async (data: number) => {
  await sleep(10)
  return data * 2
})

const slowOperation = profiler.wrap('slow operation', async (data: number) => {
  await sleep(50 + 10 * data)
  return data ** 2
})

const networkRequest = profiler.wrap('network request', async (url: string) => {
  await sleep(20)
  if (url.endsWith('/7')) throw new Error('503')
  return `response of ${url}`
})

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

await Promise.allSettled([
  ...numbers(10).map((n) => fastOperation(n)),
  ...numbers(5).map((n) => slowOperation(n)),
  ...numbers(8).map((n) => networkRequest(`https://api.example.com/${n}`)),
])

for (const name of ['fast operation', 'slow operation', 'network request']) {
  const { count = 0, errors = 0, active = 0 } = profiler.get(name) ?? {}
  console.log(`${name}: ${count} calls, ${errors} failed, ${active} running`)
}
console.error(profiler.table()) // with the times, which are others each time

// Prints:
// fast operation: 10 calls, 0 failed, 0 running
// slow operation: 5 calls, 0 failed, 0 running
// network request: 8 calls, 1 failed, 0 running
