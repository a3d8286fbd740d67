/**
 * 9.2.1 Work for the processor is not made faster by being async: it runs on the one thread of the loop, one piece after
 * the other, and nothing else has a turn meanwhile. Threads of their own are for that.
 */
import { ResourcePool, sleep, WorkerLoop } from 'standpipe/concurrency'
import type * as tasks from './cpu-work.js'
import { sumOfSquares } from './cpu-work.js'
import { startStopwatch } from './start-stopwatch.js'
import { withTicker } from './with-ticker.js'

const COUNT = 1_000_000

async function onTheLoop(id: number): Promise<number> {
  const sum = sumOfSquares(COUNT)
  console.log(`  processor task ${id} is done`)
  return sum
}

/** Threads are made when they are needed, and used again. */
const threads = new ResourcePool({
  max: 3,
  create: async (signal) => {
    const loop = new WorkerLoop<typeof tasks>(new URL('cpu-work.ts', import.meta.url))
    await loop.start({ signal })
    return loop
  },
})

function onAThread(): Promise<number> {
  return threads.use((thread) => thread.submit('sumOfSquares', COUNT))
}

async function waitingTask(id: number): Promise<void> {
  await sleep(100)
  console.log(`  waiting task ${id} is done`)
}

console.log('work for the processor, on the loop:')
const sums = await withTicker(() => Promise.all([1, 2, 3].map(onTheLoop)))

console.log('tasks that wait:')
const elapsed = startStopwatch()
await Promise.all([1, 2, 3].map(waitingTask))
console.log(`  in all: ${elapsed()}`)

console.log('work for the processor, on threads:')
const fromThreads = await withTicker(() => Promise.all([onAThread(), onAThread(), onAThread()]))
console.log(`  the same results: ${sums.join(' ') === fromThreads.join(' ')}`)
await threads.close()

// Prints:
// work for the processor, on the loop:
//   processor task 1 is done
//   processor task 2 is done
//   processor task 3 is done
//   others had their turn: false
// tasks that wait:
//   waiting task 1 is done
//   waiting task 2 is done
//   waiting task 3 is done
//   in all: 0.1 s
// work for the processor, on threads:
//   others had their turn: true
//   the same results: true
