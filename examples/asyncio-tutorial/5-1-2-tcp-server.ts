/**
 * 5.1.2 A TCP server that answers each message.
 *
 * Two things that the tutorial's server gets wrong have no place here. It takes what one `read(1024)` gives for a
 * message: TCP knows no messages, so that two can come as one, one in parts, and a character in halves; here a line is a
 * message. And its end leaves its clients to chance: here a handler's
 * return closes its connection, and the end of `serveForever()` answers what has arrived before it closes them all.
 */
import { openConnection, startServer, type Connection } from 'standpipe'

async function handleClient({ id, remote, reader, writer }: Connection): Promise<void> {
  const address = remote !== undefined && 'host' in remote ? remote.host : 'unknown'
  console.log(`client ${id} of ${address} has connected`)
  try {
    for await (const message of reader.lines()) {
      console.log(`client ${id} says: ${message}`)
      writer.write(`Server received: ${message}\n`)
      await writer.drain()
    }
  } finally {
    console.log(`client ${id} has left`)
  }
}

const server = await startServer(handleClient) // any port that is free
console.log(`the server listens on ${server.address.host}`)
const stopped = new AbortController()
const serving = server.serveForever({ signal: stopped.signal })

// Both messages together, and then a character in two halves: what a network does.
const client = await openConnection(server.address)
const bytes = Buffer.from('Hello\nGrüße\n')
client.writer.write(bytes.subarray(0, 9))
await client.writer.flush()
client.writer.write(bytes.subarray(9))
client.writer.writeEof()
const replies: string[] = []
for await (const reply of client.reader.lines()) replies.push(reply)
await client.close()
for (const reply of replies) console.log(`the client got: ${reply}`)

stopped.abort()
await serving
console.log(`the server is ${server.state}`)

// Prints:
// the server listens on 127.0.0.1
// client 1 of 127.0.0.1 has connected
// client 1 says: Hello
// client 1 says: Grüße
// client 1 has left
// the client got: Server received: Hello
// the client got: Server received: Grüße
// the server is closed
