/**
 * 9.1.3 Calling an async function from an ordinary one.
 *
 * An ordinary function cannot wait, since the loop could not go on while it does. What `asyncio.run()` does in Python
 * comes down to three things: give the promise back, hand the outcome on, or be async.
 */
import { EventEmitter, once } from 'node:events'
import { sleep } from 'standpipe/concurrency'

async function asyncFunction(): Promise<string> {
  await sleep(10)
  return 'the result'
}

// 1. It gives the promise back: whoever calls it can wait.
function ordinaryFunction(): Promise<string> {
  return asyncFunction()
}
console.log(`given back: ${await ordinaryFunction()}`)

// 2. It hands the outcome on, the error included: what nobody handles ends the process.
const emitter = new EventEmitter()
function onRequest(name: string): void {
  asyncFunction().then(
    (result) => emitter.emit('done', `${name}: ${result}`),
    (error: unknown) => emitter.emit('error', error),
  )
}
emitter.on('request', onRequest)
const done = once(emitter, 'done')
emitter.emit('request', 'handed on')
console.log(String(await done))

// 3. It becomes async, as does what calls it; that ends at a module, which can await at its top.
async function formerlyOrdinary(): Promise<string> {
  const result = await asyncFunction()
  return result.toUpperCase()
}
console.log(`async: ${await formerlyOrdinary()}`)

// Prints:
// given back: the result
// handed on: the result
// async: THE RESULT
