/** Every method of `asyncio.StreamWriter`, and what a connection tells of itself. */
import { openConnection, startServer } from 'standpipe'

const received: string[] = []
const server = await startServer(async ({ reader, writer }) => {
  for await (const line of reader.lines()) received.push(line)
  writer.write(`${received.length} lines`) // the client has ended its half, not ours
})

const connection = await openConnection({
  ...server.address,
  highWaterMark: 64 * 1024,
  lowWaterMark: 16 * 1024,
})
const { reader, writer } = connection
writer.write('text\n')
writer.write(Buffer.from('bytes\n'))
writer.writeAll(['several\n', 'at once\n']) // writelines()
await writer.drain() // waits only above the high mark
console.log(`waiting in the writer: ${writer.bufferedBytes > 0}`)
await writer.flush() // waits until the kernel has all of it
console.log(`waiting in the writer: ${writer.bufferedBytes > 0}`)
if (writer.canWriteEof) writer.writeEof()
console.log(`reply: ${String(await reader.readAll())}`)

const [host] = connection.getExtraInfo('peername') as [string, number]
console.log(`peername: ${host}`)
writer.close().catch(() => {}) // it never rejects, and need not be awaited
console.log(`is_closing: ${writer.isClosing}`)
await writer.waitClosed()
const { reason } = await connection.closed
console.log(`closed: ${reason.kind}`)
await server.stop()
console.log(received.join(', '))

// Prints:
// waiting in the writer: true
// waiting in the writer: false
// reply: 4 lines
// peername: 127.0.0.1
// is_closing: true
// closed: ended
// text, bytes, several, at once
