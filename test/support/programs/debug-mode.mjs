// A program with mistakes, in debug mode, on the built library: it forgets an await, blocks the loop, and exits with a
// connection open. What debug mode says goes to stderr; run it with --expose-gc.
import { once } from 'node:events'
import net from 'node:net'
import { openConnection } from '../../../dist/index.js'
import { enableDebugMode } from '../../../dist/observe/index.js'

const debug = enableDebugMode({ slowTurnMs: 50 })

function save() {
  return debug.watch(Promise.resolve('saved'), 'save()')
}

async function forgetful() {
  void save()
}

async function open() {
  return await openConnection({ port: listener.address().port })
}

const listener = net.createServer().listen({ port: 0, host: '127.0.0.1' })
await once(listener, 'listening')
const { reader } = await open()

async function forgetToRead() {
  void reader.readLine()
}
await forgetToRead()
await save()
await forgetful()
for (const end = performance.now() + 120; performance.now() < end;);
while (debug.unawaited().length === 0) {
  await new Promise((resolve) => setImmediate(resolve))
  globalThis.gc()
}
const late = save()
await new Promise((resolve) => setImmediate(resolve))
console.log(typeof late, debug.unclosed().length)
process.exit()
