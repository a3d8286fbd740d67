// A line-echo server on the built library, in a process of its own, so that its memory can be told from that of a
// test. For each line on stdin it prints one line of JSON: its memory, and what each connection holds.
import { createInterface } from 'node:readline'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { lineEcho, startServer } from '../../../dist/index.js'

const options = JSON.parse(process.argv[2] ?? '{}')
// What is garbage already must not count: when it is collected is chance.
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc')

const server = await startServer(lineEcho({ prefix: '' }), { logger: false, ...options })
console.log(JSON.stringify(server.address))

let mostStored = 0
let mostBuffered = 0
const timer = setInterval(() => {
  for (const { reader, writer } of server.connections) {
    mostStored = Math.max(mostStored, reader.bufferedBytes)
    mostBuffered = Math.max(mostBuffered, writer.bufferedBytes)
  }
}, 1)

createInterface({ input: process.stdin })
  .on('line', () => {
    const connections = [...server.connections].map(({ id, state, bytesRead, reader, writer }) => {
      return { id, state, bytesRead, stored: reader.bufferedBytes, buffered: writer.bufferedBytes }
    })
    collectGarbage()
    const rss = process.memoryUsage.rss()
    const { stats, maxConnections } = server
    const { closedBy } = stats
    console.log(
      JSON.stringify({
        rss,
        connections,
        closedBy,
        stats,
        maxConnections,
        mostStored,
        mostBuffered,
      }),
    )
  })
  .on('close', () => {
    clearInterval(timer)
    void server.stop({ graceMs: 0 })
  })
