/**
 * 4.1 Hello World.
 *
 * There is no `asyncio.run()`: the event loop runs as long as there is something to wait for, and a module may await
 * at its top. Times are those of the tutorial divided by ten, in milliseconds.
 */
import { sleep } from 'standpipe/concurrency'

async function helloWorld(): Promise<void> {
  console.log('Hello')
  await sleep(100)
  console.log('World')
}

await helloWorld()

// Prints:
// Hello
// World
