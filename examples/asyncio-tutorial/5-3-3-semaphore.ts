/** 5.3.3 So many at a time: a semaphore gives three permits, and whoever has waited longest is next. */
import { Semaphore, sleep } from 'standpipe/concurrency'

const semaphore = new Semaphore(3)
let running = 0
let most = 0

async function work(id: number): Promise<string> {
  console.log(`task ${id} begins`)
  most = Math.max(most, ++running)
  await sleep(50)
  running--
  console.log(`task ${id} is done`)
  return `result of task ${id}`
}

console.log('10 tasks, 3 of them at a time ...')
const ids = Array.from({ length: 10 }, (_, i) => i + 1)
const results = await Promise.all(ids.map((id) => semaphore.use(() => work(id))))
console.log(`all tasks are done; at most ${most} were at work:`)
for (const result of results) console.log(`  ${result}`)

// Prints:
// 10 tasks, 3 of them at a time ...
// task 1 begins
// task 2 begins
// task 3 begins
// task 1 is done
// task 4 begins
// task 2 is done
// task 5 begins
// task 3 is done
// task 6 begins
// task 4 is done
// task 7 begins
// task 5 is done
// task 8 begins
// task 6 is done
// task 9 begins
// task 7 is done
// task 10 begins
// task 8 is done
// task 9 is done
// task 10 is done
// all tasks are done; at most 3 were at work:
//   result of task 1
//   result of task 2
//   result of task 3
//   result of task 4
//   result of task 5
//   result of task 6
//   result of task 7
//   result of task 8
//   result of task 9
//   result of task 10
