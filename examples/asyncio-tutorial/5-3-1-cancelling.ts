/**
 * 5.3.1 Cancelling a task: `task.cancel()` is `abort()` of an AbortController whose signal the task was given.
 *
 * Nothing can be thrown into a function that waits; it is aborted because it passes the signal on to what it awaits.
 */
import { sleep } from 'standpipe/concurrency'

async function longRunningTask(name: string, steps: number, signal?: AbortSignal): Promise<string> {
  try {
    console.log(`task ${name} begins`)
    for (let step = 1; step <= steps; step++) {
      await sleep(100, { signal })
      console.log(`task ${name} is at it ... ${step}/${steps}`)
    }
    console.log(`task ${name} is done`)
    return `result of task ${name}`
  } catch (error) {
    if (signal?.aborted === true) console.log(`task ${name} is cancelled`)
    throw error
  }
}

const controller = new AbortController()
const tasks = [
  longRunningTask('A', 5, controller.signal),
  longRunningTask('B', 3),
  longRunningTask('C', 4),
]
// Awaited from the start: a failure in the meantime has somebody who handles it.
const settled = Promise.allSettled(tasks)

await sleep(150)
controller.abort()

const outcomes = await settled
console.log('results:')
for (const [i, outcome] of outcomes.entries()) {
  const name = 'ABC'.charAt(i)
  if (outcome.status === 'fulfilled') console.log(`  task ${name}: ${outcome.value}`)
  else if (outcome.reason === controller.signal.reason) console.log(`  task ${name}: cancelled`)
  else console.log(`  task ${name}: failed - ${outcome.reason}`)
}

// Prints:
// task A begins
// task B begins
// task C begins
// task A is at it ... 1/5
// task B is at it ... 1/3
// task C is at it ... 1/4
// task A is cancelled
// task B is at it ... 2/3
// task C is at it ... 2/4
// task B is at it ... 3/3
// task B is done
// task C is at it ... 3/4
// task C is at it ... 4/4
// task C is done
// results:
//   task A: cancelled
//   task B: result of task B
//   task C: result of task C
