/** Every method of `asyncio.Server`. */
import { openConnection, startServer } from 'standpipe'

{
  await using server = await startServer(
    async ({ reader, writer }) => {
      for await (const line of reader.lines()) {
        writer.write(`${line}!\n`)
        await writer.drain()
      }
    },
    { host: '127.0.0.1', port: 0 },
  )
  console.log(`sockets[0].getsockname(): ${server.address.host}, is_serving: ${server.state}`)

  const polite = await openConnection(server.address)
  polite.writer.write('hello\n')
  console.log(`reply: ${await polite.reader.readLine()}`)
  server.closeClients() // cleanly: flush, FIN
  console.log(`after close_clients: ${String(await polite.reader.readLine())}`)
  await polite.close()

  const cut = await openConnection(server.address)
  cut.writer.write('hello\n')
  console.log(`reply: ${await cut.reader.readLine()}`)
  server.abortClients() // a reset
  const error: unknown = await cut.reader.readLine().catch((reason: unknown) => reason)
  console.log(`after abort_clients: ${error instanceof Error ? error.name : String(error)}`)
  await cut.close()
} // close() and wait_closed()

const server = await startServer(({ writer }) => writer.write('bye\n'))
const controller = new AbortController()
const serving = server.serveForever({ signal: controller.signal })
const visitor = await openConnection(server.address)
console.log(`reply: ${await visitor.reader.readLine()}`)
await visitor.close()
controller.abort() // `serve_forever()` is cancelled
await serving
console.log(`is_serving: ${server.state}`)

// Prints:
// sockets[0].getsockname(): 127.0.0.1, is_serving: listening
// reply: hello!
// after close_clients: null
// reply: hello!
// after abort_clients: BrokenError
// reply: bye
// is_serving: closed
