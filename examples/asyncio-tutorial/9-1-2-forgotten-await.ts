/**
 * 9.1.2 A forgotten `await` gives a promise in place of the result.
 *
 * A coroutine that nobody awaits never runs. An async function runs all the same, nobody learns how it ended, and if it
 * fails Node ends the process. The compiler sees the promise as soon as it is used as text or a number;
 * `typescript/no-floating-promises` of oxlint and typescript-eslint sees calls whose result is not used; and debug mode
 * (9.3.1) tells of those of a running program.
 */
import { sleep } from 'standpipe/concurrency'

async function fetchData(): Promise<string> {
  console.log('it begins, awaited or not')
  await sleep(10)
  return 'data'
}

const forgotten = fetchData()
console.log(forgotten)

const result = await fetchData()
console.log(result)

// What is not to be waited for is at least looked after: its failure has somebody who handles it.
fetchData()
  .then(() => {
    throw new Error('a failure that nobody waits for')
  })
  .catch((error: unknown) => console.log(`looked after: ${String(error)}`))

// Prints:
// it begins, awaited or not
// Promise { <pending> }
// it begins, awaited or not
// data
// it begins, awaited or not
// looked after: Error: a failure that nobody waits for
