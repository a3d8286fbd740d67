/**
 * 4.3 Two tasks at the same time take as long as the longer one.
 *
 * There are no task objects: a call of an async function is a task, and its promise stands for it.
 */
import { sleep } from 'standpipe/concurrency'
import { startStopwatch } from './start-stopwatch.js'

async function sayAfter(delayMs: number, what: string): Promise<void> {
  await sleep(delayMs)
  console.log(what)
}

const elapsed = startStopwatch()
console.log(`begun at ${elapsed()}`)
const hello = sayAfter(100, 'hello')
const world = sayAfter(200, 'world')
// Both at once. `await hello` and then `await world`, as the tutorial has it, would leave `world` without anybody who
// awaits it when `hello` fails; if it fails as well, Node ends the process.
await Promise.all([hello, world])
console.log(`ended at ${elapsed()}`)

// Prints:
// begun at 0.0 s
// hello
// world
// ended at 0.2 s
