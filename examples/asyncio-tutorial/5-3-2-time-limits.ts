/**
 * 5.3.2 A time limit: `wait_for(coro, 3)` is `withTimeout(fn, 3_000)`.
 *
 * The medium task takes as long as the limit allows. That is a race, here as in the tutorial, and the limit wins since
 * its timer was set first; do not build on it. Calls of the kit take `timeoutMs` themselves, which costs less.
 */
import { TimeoutError } from 'standpipe'
import { sleep, withTimeout } from 'standpipe/concurrency'

async function slowOperation(name: string, ms: number, signal: AbortSignal): Promise<string> {
  console.log(`${name} begins ...`)
  await sleep(ms, { signal })
  console.log(`${name} is done`)
  return `result of the ${name}`
}

const tasks = [
  ['fast task', 100],
  ['medium task', 300],
  ['slow task', 500],
] as const

for (const [name, ms] of tasks) {
  try {
    const result = await withTimeout((signal) => slowOperation(name, ms, signal), 300)
    console.log(`in time: ${result}`)
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error
    console.log(`too late: ${name}`)
  }
  console.log()
}

// Prints:
// fast task begins ...
// fast task is done
// in time: result of the fast task
//
// medium task begins ...
// too late: medium task
//
// slow task begins ...
// too late: slow task
//
