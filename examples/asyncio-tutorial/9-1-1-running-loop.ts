/**
 * 9.1.1 "This event loop is already running" cannot come about.
 *
 * There is one loop in a thread, it always runs, and nothing starts it: an async function is awaited, wherever one is.
 */
import { sleep } from 'standpipe/concurrency'

async function someCoroutine(): Promise<string> {
  await sleep(10)
  return 'the result'
}

async function main(): Promise<void> {
  console.log(`inside: ${await someCoroutine()}`)
}

await main()

// Prints:
// inside: the result
