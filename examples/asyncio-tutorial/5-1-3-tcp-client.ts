/**
 * 5.1.3 A TCP client. `npm run example 5.1.3 8888` talks to a server that you have started, such as
 * `standpipe echo`; without a port it brings its own.
 *
 * The tutorial's client closes its connection only when nothing fails; `await using` does so always.
 */
import { lineEcho, openConnection, StandpipeError, startServer } from 'standpipe'
import { sleep } from 'standpipe/concurrency'

async function talk(port: number): Promise<void> {
  await using connection = await openConnection({ port })
  const { reader, writer } = connection
  for (const message of ['Hello', 'World', 'AsyncIO', 'TCP']) {
    console.log(`sent: ${message}`)
    writer.write(`${message}\n`)
    await writer.drain()
    console.log(`received: ${await reader.readLine({ timeoutMs: 5_000 })}`)
    await sleep(10)
  }
}

async function tcpClient(port: number): Promise<void> {
  try {
    await talk(port)
  } catch (error) {
    // What a peer or the network brings about; a mistake of our own goes on.
    if (!(error instanceof StandpipeError)) throw error
    console.log(`client error: ${error.code}`)
  }
}

const [port] = process.argv.slice(2).map(Number)
if (port !== undefined) {
  await tcpClient(port)
} else {
  const server = await startServer(lineEcho())
  await tcpClient(server.address.port)
  await server.stop()
  await tcpClient(server.address.port) // nobody listens any more
}

// Prints:
// sent: Hello
// received: Server received: Hello
// sent: World
// received: Server received: World
// sent: AsyncIO
// received: Server received: AsyncIO
// sent: TCP
// received: Server received: TCP
// client error: ERR_STANDPIPE_CONNECT
