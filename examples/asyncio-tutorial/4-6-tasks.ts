/**
 * 4.6 Starting tasks, and waiting for all of them.
 *
 * In a group no task can be lost: the group ends when all have ended, and when one fails the others are aborted.
 * `gather()` over tasks, as the tutorial has it, leaves the others running when one fails.
 */
import { sleep, taskGroup } from 'standpipe/concurrency'

async function backgroundTask(name: string, ms: number, signal: AbortSignal): Promise<string> {
  console.log(`task ${name} begins`)
  await sleep(ms, { signal })
  console.log(`task ${name} is done`)
  return `result of task ${name}`
}

const results = await taskGroup(async (group) => {
  // `create_task()` begins a task in the next turn of the loop, `spawn()` at once: sleep(0) lets a turn pass.
  const createTask = (name: string, ms: number): Promise<string> =>
    group.spawn(async (signal) => {
      await sleep(0, { signal })
      return backgroundTask(name, ms, signal)
    })
  const tasks = [createTask('A', 200), createTask('B', 100), createTask('C', 300)]
  console.log(`${group.size} tasks are created and will begin ...`)
  return Promise.all(tasks)
})

console.log('all tasks are done, their results:')
for (const result of results) console.log(`  ${result}`)

// Prints:
// 3 tasks are created and will begin ...
// task A begins
// task B begins
// task C begins
// task B is done
// task A is done
// task C is done
// all tasks are done, their results:
//   result of task A
//   result of task B
//   result of task C
