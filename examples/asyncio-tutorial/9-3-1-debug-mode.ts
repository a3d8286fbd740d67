/**
 * 9.3.1 Debug mode: calls that nobody awaits, turns that block the loop, and connections that nobody closes are told of,
 * each with the place in the program that it came from. (asyncio: `loop.set_debug(True)`, `python -X dev`.)
 *
 * It is for development: it makes all promises of the process slower.
 */
import { openConnection, startServer } from 'standpipe'
import { sleep } from 'standpipe/concurrency'
import { enableDebugMode, type Logger } from 'standpipe/observe'

const found = new Set<string>()
const ignore = (): void => {}
const logger: Logger = {
  debug: ignore,
  info: ignore,
  error: ignore,
  warn(_fields, message) {
    console.error(message) // with the place, the time and the port, which are others in each program
    found.add(
      message.replace(/(;| for \d| in \d).*/, '').replaceAll(/(?<=connection) \d+|:\d+/g, ''),
    )
  },
}

const server = await startServer(async ({ reader }) => void (await reader.readAll()))
const debug = enableDebugMode({ logger, slowTurnMs: 50 })
console.log('debug mode is on')

/** The kit watches its own calls; a function of one's own hands its promise out like this. */
function save(): Promise<string> {
  return debug.watch(
    sleep(10).then(() => 'saved'),
    'save()',
  )
}

console.log(await save())
void save() // nobody will know how it ended

const connection = await openConnection(server.address)
connection.writer.write('hello\n')
void connection.writer.drain() // nobody will know whether there is room

for (const end = performance.now() + 100; performance.now() < end;); // nobody else can do anything
await sleep(50)

debug.disable() // tells of what nobody has awaited or closed by now
for (const warning of [...found].toSorted()) console.log(`told: ${warning}`)
await connection.close()
await server.stop()

// Prints:
// debug mode is on
// saved
// told: StreamWriter.drain() was never awaited
// told: connection from 127.0.0.1 was not closed
// told: connection to 127.0.0.1 was not closed
// told: save() was never awaited
// told: the event loop was blocked
