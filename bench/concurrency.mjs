// The concurrency kit beside the libraries that people use for the same, as ratios.
//
//   npm run build && node bench/concurrency.mjs [--rounds 8] [--millis 200] [--only permits] [--json]
//
// Each library works in a process of its own. Those of a scenario are up together, and each round visits them in rotated
// order, one at a time, so that what else the machine does hits all alike. A ratio above 1 is in favour of the kit: its
// rate over that of the peer, as the median of the rounds' own ratios; and the peer's CPU time for a call over that of
// the kit, each in its least disturbed round, since noise only ever adds.
import { fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { scenarios } from './programs/concurrency-scenarios.mjs'
import { canPin, median } from './programs/interleaved-run.mjs'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '8' },
    millis: { type: 'string', default: '200' },
    only: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
  },
})
const rounds = Number(values.rounds)
const millis = Number(values.millis)
const WARM_UP_MILLIS = 500

async function start(scenario, library) {
  const program = fileURLToPath(new URL('programs/concurrency-calls.mjs', import.meta.url))
  const child = fork(program, [scenario, library])
  // A program that fails must not leave the measurement waiting.
  child.on('exit', (code) => {
    if (code !== 0) throw new Error(`${library} failed in "${scenario}"`)
  })
  await once(child, 'message')
  if (canPin) spawnSync('taskset', ['-a', '-c', '-p', '0', String(child.pid)])
  return { library, child, samples: [] }
}

async function sample({ child }, forMillis) {
  child.send(forMillis)
  const [answer] = await once(child, 'message')
  return answer
}

async function run(scenario) {
  const libraries = []
  for (const library of Object.keys(scenarios[scenario])) {
    libraries.push(await start(scenario, library))
  }
  for (const library of libraries) await sample(library, WARM_UP_MILLIS)
  for (let round = 0; round < rounds; round++) {
    const first = round % libraries.length
    for (const library of [...libraries.slice(first), ...libraries.slice(0, first)]) {
      library.samples[round] = await sample(library, millis)
    }
  }
  for (const { child } of libraries) child.disconnect()
  const [ours] = libraries
  const least = ({ samples }) => Math.min(...samples.map((one) => one.cpuMicros))
  return libraries.map((peer) => ({
    library: peer.library,
    'calls/s': Math.round(median(peer.samples.map((one) => one.rate))),
    'CPU us/call': Number(least(peer).toFixed(3)),
    'rate x': Number(
      median(peer.samples.map((one, i) => ours.samples[i].rate / one.rate)).toFixed(2),
    ),
    'CPU x': Number((least(peer) / least(ours)).toFixed(2)),
  }))
}

const results = {}
for (const scenario of Object.keys(scenarios).filter((name) => name.includes(values.only))) {
  results[scenario] = await run(scenario)
  if (values.json) continue
  console.log(
    `\n${scenario}; ${rounds} rounds of ${millis} ms; Node ${process.versions.node}; ${canPin ? 'pinned' : 'not pinned'}`,
  )
  console.table(results[scenario])
}
if (values.json) console.log(JSON.stringify(results))
