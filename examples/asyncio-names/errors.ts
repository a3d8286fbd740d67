/** What is thrown in place of asyncio's and Python's errors. Match on `code`: messages may change. */
import { openConnection, StandpipeError, startServer, StreamReader } from 'standpipe'
import { BoundedQueue } from 'standpipe/concurrency'

async function tell(name: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
    console.log(`${name}: no error`)
  } catch (error) {
    if (!(error instanceof StandpipeError)) throw error
    console.log(`${name}: ${error.name}, ${error.code}, retryable ${error.retryable}`)
  }
}

const cut = new StreamReader()
cut.feedData(Buffer.from('half a li'))
cut.feedEof()
await tell('IncompleteReadError', () => cut.readLine())

const long = new StreamReader({ limit: 4 })
long.feedData(Buffer.from('too long\nand on\n'))
await tell('LimitOverrunError', () => long.readLine())

const undecodable = new StreamReader()
undecodable.feedData(Buffer.from([0xff, 0xfe, 0x0a]))
await tell('UnicodeDecodeError', () => undecodable.readLine())

const server = await startServer(async (connection) => {
  await connection.reader.readLine()
  connection.abort()
})
const { port } = server.address
await tell('ConnectionResetError', async () => {
  await using connection = await openConnection({ port })
  connection.writer.write('hello\n')
  await connection.reader.readLine()
})
await tell('OSError: Address already in use', () => startServer(() => {}, { port }))
await server.stop()

await tell('ConnectionRefusedError', () => openConnection({ port }))
await tell('socket.gaierror', () =>
  openConnection({
    host: 'name.invalid',
    port,
    // A resolver that answers at once; without it the one of the system is asked.
    lookup: (_host, _options, answer) => {
      answer(Object.assign(new Error('not found'), { code: 'ENOTFOUND' }), '')
    },
  }),
)

const queue = new BoundedQueue<number>({ maxSize: 1 })
await tell('TimeoutError', () => queue.get({ timeoutMs: 10 }))
queue.close()
await tell('QueueShutDown', () => queue.get())

// Prints:
// IncompleteReadError: IncompleteReadError, ERR_STANDPIPE_INCOMPLETE_READ, retryable false
// LimitOverrunError: LimitOverrunError, ERR_STANDPIPE_LIMIT_OVERRUN, retryable false
// UnicodeDecodeError: DecodeError, ERR_STANDPIPE_DECODE, retryable false
// ConnectionResetError: BrokenError, ERR_STANDPIPE_RESET, retryable true
// OSError: Address already in use: ListenError, ERR_STANDPIPE_ADDRESS_IN_USE, retryable true
// ConnectionRefusedError: ConnectError, ERR_STANDPIPE_CONNECT, retryable true
// socket.gaierror: LookupError, ERR_STANDPIPE_LOOKUP, retryable true
// TimeoutError: TimeoutError, ERR_STANDPIPE_TIMED_OUT, retryable true
// QueueShutDown: ClosedError, ERR_STANDPIPE_CLOSED, retryable false
