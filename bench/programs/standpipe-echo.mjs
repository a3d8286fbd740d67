// The same echo on standpipe, with every default on. The argument names the way the handler reads.
import { lineEcho, startServer } from '../../dist/index.js'
import { reportCpu } from './report-cpu.mjs'

const handlers = {
  /** The loop of an asyncio program. */
  async plain({ reader, writer }) {
    for (;;) {
      const line = await reader.readLine()
      if (line === null) return
      writer.write(`echo: ${line}\n`)
      await writer.drain()
    }
  },
  /** What is at hand is taken without waiting. */
  async sync({ reader, writer }) {
    for (;;) {
      let line
      while ((line = reader.tryReadLine()) != null) writer.write(`echo: ${line}\n`)
      await writer.drain()
      line = await reader.readLine()
      if (line === null) return
      writer.write(`echo: ${line}\n`)
    }
  },
  async batches({ reader, writer }) {
    for await (const lines of reader.lineBatches()) {
      writer.write(`echo: ${lines.join('\necho: ')}\n`)
      await writer.drain()
    }
  },
  /** The handler of the echo command. */
  command: lineEcho({ prefix: 'echo: ' }),
}

const server = await startServer(handlers[process.argv[2]], { backlog: 4096 })
reportCpu(server.address.port)
