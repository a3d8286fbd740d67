// An echo server in a process of its own: `kit` on the built library, `raw` on node:net alone, so that their memory can
// be compared. It prints its port; for each line on stdin it collects its garbage and prints what it has and uses; at the
// end of stdin it stops, and prints how long that took.
import net from 'node:net'
import { createInterface } from 'node:readline'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { lineEcho, startServer } from '../../../dist/index.js'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc')
const which = process.argv[2]
const BACKLOG = 4096

async function startKit() {
  const server = await startServer(lineEcho({ prefix: '' }), {
    logger: false,
    maxConnections: Infinity,
    backlog: BACKLOG,
  })
  return {
    port: server.address.port,
    count: () => server.stats.open,
    stop: async () => await server.stop({ graceMs: 20_000 }),
  }
}

async function startRaw() {
  const sockets = new Set()
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.on('data', (chunk) => socket.write(chunk))
    socket.on('end', () => socket.end())
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise((resolve) =>
    server.listen({ port: 0, host: '127.0.0.1', backlog: BACKLOG }, resolve),
  )
  return {
    port: server.address().port,
    count: () => sockets.size,
    stop: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function listenersOf(emitter) {
  return emitter.eventNames().reduce((sum, name) => sum + emitter.listenerCount(name), 0)
}

const server = which === 'kit' ? await startKit() : await startRaw()
console.log(server.port)

createInterface({ input: process.stdin })
  .on('line', () => {
    collectGarbage()
    console.log(
      JSON.stringify({
        open: server.count(),
        rss: process.memoryUsage.rss(),
        heap: process.memoryUsage().heapUsed,
        timers: process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length,
        resources: process.getActiveResourcesInfo().length,
        listeners: listenersOf(process) + listenersOf(process.stdin) + listenersOf(process.stdout),
      }),
    )
  })
  .on('close', () => {
    const from = performance.now()
    void server.stop().then((report) => {
      console.log(JSON.stringify({ stopMs: performance.now() - from, report }))
    })
  })
