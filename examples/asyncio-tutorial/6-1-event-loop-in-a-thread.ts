/**
 * 6.1 An event loop of its own, in a thread: `new_event_loop()`, and `run_coroutine_threadsafe()`.
 *
 * The tutorial's `run_coroutine()` waits by blocking, so that the thread that asks can do nothing else; its `stop()`
 * leaves in the middle of their work the tasks that still run, and nobody learns that they were not finished. Here a
 * task is a function of a module, since threads share no functions; it gets a signal, and its result is awaited.
 */
import { WorkerLoop } from 'standpipe/concurrency'
import type * as tasks from './background-tasks.js'

const module = new URL('background-tasks.ts', import.meta.url)
const loop = new WorkerLoop<typeof tasks>(module)
await loop.start()
console.log(`the loop is ${loop.state}`)

console.log(await loop.submit('backgroundTask', { name: 'A', ms: 10 }))

// It goes on while this thread can do nothing.
const done = new Int32Array(new SharedArrayBuffer(4))
const task = loop.submit('backgroundTask', { name: 'B', ms: 20, done })
Atomics.wait(done, 0, 0)
console.log('this thread was blocked meanwhile')
console.log(await task)

// A task can be given up.
const controller = new AbortController()
const { signal } = controller
const long = loop.submit('backgroundTask', { name: 'C', ms: 60_000 }, { signal })
await loop.submit('begun')
controller.abort('it is late')
console.log(`given up: ${String(await long.catch((reason: unknown) => reason))}`)

// A stop waits for what still runs.
const last = loop.submit('backgroundTask', { name: 'D', ms: 10 })
await loop.stop()
console.log(await last)
console.log(`the loop is ${loop.state}`)

// Prints:
// the loop is running
// background task A begins
// background task A is done
// result of task A
// background task B begins
// background task B is done
// this thread was blocked meanwhile
// result of task B
// background task C begins
// given up: it is late
// background task D begins
// background task D is done
// result of task D
// the loop is stopped
