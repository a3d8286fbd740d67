/** Every read of `asyncio.StreamReader`, on a reader that is fed by hand; that of a connection is the same. */
import { IncompleteReadError, StreamReader } from 'standpipe'

const reader = new StreamReader({ limit: 1024 })
reader.feedData(Buffer.from('a line\r\nbytes\n0123456789head\r\n\r\nsome'))

console.log(`readline: ${await reader.readLine()}`)
const line = await reader.readLine({ encoding: 'buffer', keepTerminator: true })
console.log(`readline, as bytes: ${JSON.stringify(String(line))}`)
console.log(`readexactly: ${String(await reader.readExactly(10))}`)
console.log(`readuntil: ${JSON.stringify(String(await reader.readUntil('\r\n\r\n')))}`)
console.log(`read: ${String(await reader.read(2))}`)
console.log(`at_eof: ${reader.atEof}`)

// A second read is refused at once, and the first is not affected.
const first = reader.readExactly(4)
const second: unknown = await reader.readLine().catch((error: unknown) => error)
console.log(`two at once: ${second instanceof Error ? second.name : 'no error'}`)
reader.feedData(Buffer.from('ne'))
console.log(`the first: ${String(await first)}`)

reader.feedData(Buffer.from('one\ntwo\nthr'))
reader.feedEof()
try {
  for await (const each of reader) console.log(`async for: ${each}`)
} catch (error) {
  if (!(error instanceof IncompleteReadError)) throw error
  console.log(`an unfinished line: ${String(error.partial)}`)
}
console.log(`at_eof: ${reader.atEof}, then ${String(await reader.read())}`)

const broken = new StreamReader()
broken.feedData(Buffer.from('what came before'))
broken.setError(new Error('the cable is cut'))
console.log(`set_exception: ${String(await broken.read())}`)
console.log(`and then: ${String(await broken.readAll().catch((error: unknown) => error))}`)

// Prints:
// readline: a line
// readline, as bytes: "bytes\n"
// readexactly: 0123456789
// readuntil: "head\r\n\r\n"
// read: so
// at_eof: false
// two at once: BusyError
// the first: mene
// async for: one
// async for: two
// an unfinished line: thr
// at_eof: true, then null
// set_exception: what came before
// and then: Error: the cable is cut
