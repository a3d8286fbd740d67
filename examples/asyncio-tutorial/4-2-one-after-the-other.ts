/** 4.2 Awaiting one call after the other takes as long as both together. */
import { sleep } from 'standpipe/concurrency'
import { startStopwatch } from './start-stopwatch.js'

async function sayAfter(delayMs: number, what: string): Promise<void> {
  await sleep(delayMs)
  console.log(what)
}

// A clock that never goes back; the time of day, which the tutorial prints, can.
const elapsed = startStopwatch()
console.log(`begun at ${elapsed()}`)
await sayAfter(100, 'hello')
await sayAfter(200, 'world')
console.log(`ended at ${elapsed()}`)

// Prints:
// begun at 0.0 s
// hello
// world
// ended at 0.3 s
