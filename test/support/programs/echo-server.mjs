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

let mostStored = 0
let mostBuffered = 0
let longestWrite = 0
const echo = lineEcho({ prefix: '' })

const server = await startServer(
  async (connection) => {
    const { reader, writer } = connection
    // Behind the connection's own listener: what is stored when a block has come in.
    connection.getExtraInfo('socket').on('data', () => {
      mostStored = Math.max(mostStored, reader.bufferedBytes)
    })
    const write = writer.write.bind(writer)
    writer.write = (data, encoding) => {
      write(data, encoding)
      longestWrite = Math.max(longestWrite, data.length)
      mostBuffered = Math.max(mostBuffered, writer.bufferedBytes)
    }
    await echo(connection)
  },
  { logger: false, ...options },
)
console.log(JSON.stringify(server.address))

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
        longestWrite,
      }),
    )
  })
  .on('close', () => {
    void server.stop({ graceMs: 0 })
  })
