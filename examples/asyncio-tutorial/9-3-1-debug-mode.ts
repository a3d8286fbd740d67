/**
 * 9.3.1 Debug mode: calls that nobody awaits, turns that block the loop, and connections that nobody closes are told of,
 * each with the place in the program that it came from. (asyncio: `loop.set_debug(True)`, `python -X dev`.)
 *
 * It is for development: it makes all promises of the process slower.
 */
import { sleep } from 'standpipe/concurrency'
import { enableDebugMode, type Logger } from 'standpipe/observe'

const found = new Set<string>()
const ignore = (): void => {}
const logger: Logger = {
  debug: ignore,
  info: ignore,
  error: ignore,
  warn(_fields, message) {
    console.error(message) // with the place and the time, which are others in each program
    found.add(message.replace(/(;| for \d).*/, ''))
  },
}

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

for (const end = performance.now() + 100; performance.now() < end;); // nobody else can do anything
await sleep(50)

debug.disable() // tells of what nobody has awaited by now
for (const warning of found) console.log(`told: ${warning}`)

// Prints:
// debug mode is on
// saved
// told: the event loop was blocked
// told: save() was never awaited
