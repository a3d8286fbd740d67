/**
 * A chat: each line of one goes to all, and nobody can hold up the others.
 *
 * Each connection is one loop over what its peer says and what is said to it. When the peer has said its last line the
 * subscription is closed, and the loop ends with what that still holds. Who does not read loses the oldest messages.
 */
import { openConnection, startServer, type Connection } from 'standpipe'
import { Broadcaster, merge, withCleanup } from 'standpipe/concurrency'

const room = new Broadcaster<Buffer>()
const say = (words: string): number => room.publish(Buffer.from(`${words}\n`)) // encoded once for all

const server = await startServer(async ({ reader, writer, signal }) => {
  const name = await reader.readLine()
  const heard = room.subscribe({ signal, capacity: 100 })
  const said = withCleanup(reader.lines(), () => heard.close())
  say(`${name} has come`)
  for await (const message of merge([said, heard])) {
    if (typeof message === 'string') {
      say(`${name}: ${message}`)
    } else {
      writer.write(message)
      await writer.drain()
    }
  }
  say(`${name} has left`)
})

async function enter(name: string): Promise<Connection> {
  const connection = await openConnection(server.address)
  connection.writer.write(`${name}\n`)
  await connection.reader.readLine() // … has come
  return connection
}

const anna = await enter('Anna')
const ben = await enter('Ben')
console.log(`Anna reads: ${await anna.reader.readLine()}`)

anna.writer.write('hello\n')
console.log(`Anna reads: ${await anna.reader.readLine()}`)
console.log(`Ben reads: ${await ben.reader.readLine()}`)

ben.writer.write('good bye\n')
ben.writer.writeEof()
console.log(`Ben reads: ${await ben.reader.readLine()}`)
console.log(`Ben reads: ${await ben.reader.readLine()}`)
await ben.close()
console.log(`Anna reads: ${await anna.reader.readLine()}`)
console.log(`Anna reads: ${await anna.reader.readLine()}`)

console.log(`in the room: ${room.subscribers}, messages lost: ${room.dropped}`)
await anna.close()
await server.stop()

// Prints:
// Anna reads: Ben has come
// Anna reads: Anna: hello
// Ben reads: Anna: hello
// Ben reads: Ben: good bye
// Ben reads: null
// Anna reads: Ben: good bye
// Anna reads: Ben has left
// in the room: 1, messages lost: 0
