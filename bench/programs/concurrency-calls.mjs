// Does the work of one scenario with one library, for so many milliseconds whenever it is told to, and tells what it cost.
//
//   concurrency-calls.mjs SCENARIO LIBRARY
import { CALLS, expectedOf, scenarios } from './concurrency-scenarios.mjs'

const [name, library] = process.argv.slice(2)
const work = scenarios[name][library]()
const expected = expectedOf(name)

async function measure(millis) {
  const before = process.cpuUsage()
  const start = performance.now()
  let calls = 0
  let seconds = 0
  do {
    const result = await work()
    if (result !== expected) throw new Error(`${library}: ${result} instead of ${expected}`)
    calls += CALLS
    seconds = (performance.now() - start) / 1000
  } while (seconds * 1000 < millis)
  const { user, system } = process.cpuUsage(before)
  process.send({ rate: calls / seconds, cpuMicros: (user + system) / calls })
}

process.on('message', (millis) => void measure(millis))
process.on('disconnect', () => process.exit(0))
process.send('ready')
