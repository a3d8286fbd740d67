/**
 * 4.5 An ordinary function gives its result, an async function a promise of it.
 *
 * What differs: a coroutine does nothing until it is awaited, an async function begins when it is called.
 */
import { sleep } from 'standpipe/concurrency'

function ordinary(): string {
  console.log('an ordinary function')
  return 'what the ordinary function returns'
}

async function asynchronous(): Promise<string> {
  console.log('an async function')
  await sleep(10)
  return 'what the async function returns'
}

console.log(`ordinary: ${ordinary()}`)
console.log(`async: ${await asynchronous()}`)

// Prints:
// an ordinary function
// ordinary: what the ordinary function returns
// an async function
// async: what the async function returns
