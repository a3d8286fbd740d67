// A program with mistakes, in debug mode, on the built library: it forgets an await, blocks the loop, and exits with a
// connection open. What debug mode says goes to stderr; run it with --expose-gc.
import { channel } from 'node:diagnostics_channel'
import { CONNECTION_OPEN_CHANNEL, enableDebugMode } from '../../../dist/observe/index.js'

const debug = enableDebugMode({ slowTurnMs: 50 })

function save() {
  return debug.watch(Promise.resolve('saved'), 'save()')
}

async function forgetful() {
  void save()
}

async function open() {
  channel(CONNECTION_OPEN_CHANNEL).publish({
    openedAt: new Error('opened here'),
    connection: {
      id: 1,
      role: 'outbound',
      state: 'open',
      remote: { host: '127.0.0.1', port: 8888 },
      bytesRead: 0,
      bytesWritten: 0,
      reader: { bufferedBytes: 0 },
      writer: { bufferedBytes: 0 },
    },
  })
}

await open()
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
