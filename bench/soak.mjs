// The soak: clients that ask without end over a fault proxy, with all of its faults in rotation.
//
//   npm run build && node bench/soak.mjs [minutes, 10 unless said] [--clients 200] [--seed 1]
//
// Server, proxy and clients are one process. Each session of a client has a history of its own, which is checked when it
// ends: replies once, in order, to who asked, and nothing acknowledged that was not carried out. A session during which no
// fault could cut it must have every reply. At the end everything must be closed, and memory must not have grown. Exit 1
// when anything of that does not hold.
import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { LineClient, startServer } from '../dist/index.js'
import { FaultProxy, LineHistory } from '../dist/testing/index.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    clients: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
  },
})
const minutes = Number(positionals[0] ?? '10')
const clients = Number(values.clients)
const seed = Number(values.seed)
if (!(minutes > 0 && clients >= 1 && Number.isInteger(seed))) {
  console.error('usage: node bench/soak.mjs [minutes] [--clients 200] [--seed 1]')
  process.exit(2)
}

const PHASE_MS = 2_000
const SAMPLE_MS = 1_000
/** What the heap may have grown by between the first and the last third of the samples, in bytes. Generous: noise is 2 MiB. */
const MAX_GROWTH = 16 * 1024 * 1024
/** So long after the last fault a session may still be under way. */
const END_MS = 30_000

/** Faults that keep every byte, and faults that cut. */
const GENTLE = [
  [{ kind: 'latency', latencyMs: 40, jitterMs: 40 }],
  [{ kind: 'bandwidth', bytesPerSecond: 20_000 }],
  [{ kind: 'slicer', bytes: 7, variation: 6, gapMs: 1 }],
  [{ kind: 'black-hole', direction: 'toClient' }],
  [{ kind: 'slow-close', delayMs: 300 }],
  [
    { kind: 'latency', latencyMs: 20 },
    { kind: 'slicer', bytes: 1, direction: 'toTarget' },
  ],
]
const CUTTING = [
  [{ kind: 'reset', afterBytes: 700, probability: 0.5 }],
  [{ kind: 'data-limit', bytes: 900, probability: 0.5, direction: 'toTarget' }],
  [{ kind: 'data-limit', bytes: 900, probability: 0.5, direction: 'toClient' }],
  [{ kind: 'black-hole', endAfterMs: 500, probability: 0.5 }],
  [{ kind: 'down' }],
]

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc')
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const mebibytes = (bytes) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`
const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]

const problems = []
const counts = { sessions: 0, whole: 0, cut: 0, refused: 0, replies: 0 }
/** The history of each session that is under way, by the name that is in its tokens. */
const histories = new Map()

const server = await startServer(
  async ({ reader, writer }) => {
    for await (const line of reader.lines()) {
      histories.get(/<([^.]+)\./.exec(line)?.[1])?.delivered(line)
      writer.write(`OK ${line}\n`)
      await writer.drain()
    }
  },
  { logger: false, maxConnections: 4 * clients },
)
const proxy = await FaultProxy.start({
  target: { port: server.address.port },
  seed,
  logger: false,
  maxConnections: 4 * clients,
})

const run = { isOver: false }
/** When a fault that cuts was last in force; Infinity while one is. */
let lastCutMs = -Infinity

async function rotateFaults(untilMs) {
  const phases = GENTLE.flatMap((gentle, i) => [gentle, CUTTING[i % CUTTING.length]])
  for (let i = 0; performance.now() < untilMs; i++) {
    const phase = phases[i % phases.length]
    const cuts = CUTTING.includes(phase)
    if (cuts) lastCutMs = Infinity
    for (const fault of phase) proxy.add(fault)
    await sleep(PHASE_MS)
    await proxy.clear()
    if (cuts) lastCutMs = performance.now()
  }
  run.isOver = true
}

/** One connection: some rounds of pipelined requests, and what came of them. */
async function converse(name, rounds, inFlight) {
  const startedMs = performance.now()
  const mayBeCut = () => lastCutMs >= startedMs
  let client
  try {
    client = await LineClient.open({ ...proxy.address, logger: false })
  } catch (error) {
    counts.refused++
    if (!mayBeCut()) problems.push(`${name} could not connect: ${String(error)}`)
    await sleep(100)
    return
  }
  const history = new LineHistory()
  histories.set(name, history)
  let failure
  for (let round = 0; round < rounds && failure === undefined && !run.isOver; round++) {
    const asked = Array.from({ length: inFlight }, (_, i) =>
      history.ask(name, (token) => client.request(`${'x'.repeat((i * 37) % 200)} ${token}`)),
    )
    for (const { status, reason } of await Promise.allSettled(asked)) {
      if (status === 'fulfilled') counts.replies++
      else failure = reason
    }
  }
  history.ended(name, failure === undefined ? 'clean' : 'broken')
  if (failure === undefined) counts.whole++
  else if (mayBeCut()) counts.cut++
  else problems.push(`${name} failed and no fault cuts: ${String(failure)}`)
  try {
    history.check()
  } catch (error) {
    problems.push(error.message)
  }
  await client.close()
  histories.delete(name)
}

async function live(number) {
  for (let session = 1; !run.isOver; session++) {
    counts.sessions++
    await converse(`${number}-${session}`, 3 + ((number + session) % 10), 1 + (number % 8))
  }
}

const samples = []
async function sampleMemory() {
  while (!run.isOver) {
    await sleep(SAMPLE_MS)
    collectGarbage()
    const { heapUsed, rss } = process.memoryUsage()
    samples.push({ heapUsed, rss })
  }
}

const untilMs = performance.now() + minutes * 60_000
const everyone = Promise.all([
  rotateFaults(untilMs),
  sampleMemory(),
  ...Array.from({ length: clients }, (_, i) => live(i + 1)),
])
const deadline = setTimeout(
  () => {
    console.error(`not ended ${END_MS} ms after the last fault`)
    process.exit(1)
  },
  minutes * 60_000 + PHASE_MS + END_MS,
)
await everyone
clearTimeout(deadline)
await proxy.stop({ graceMs: 5_000 })
const { accepted, open, unreachable, passedBytes, applied } = proxy.stats
const serverOpen = server.stats.open
await server.stop({ graceMs: 5_000 })

if (open > 0) problems.push(`connections of the proxy that are still open: ${open}`)
if (serverOpen > 0) problems.push(`connections of the server that are still open: ${serverOpen}`)
if (unreachable > 0) problems.push(`times that the server was not reached: ${unreachable}`)
for (const kind of new Set([...GENTLE, ...CUTTING].flat().map((fault) => fault.kind))) {
  const needsMs = 2 * PHASE_MS * GENTLE.length
  if (!(kind in applied) && minutes * 60_000 > needsMs) problems.push(`${kind} was never applied`)
}
const third = Math.floor(samples.length / 3)
const heaps = samples.map(({ heapUsed }) => heapUsed)
const [early, late] = [median(heaps.slice(third, 2 * third)), median(heaps.slice(-third))]
if (third >= 3 && late - early > MAX_GROWTH) {
  problems.push(`the heap grew from ${mebibytes(early)} to ${mebibytes(late)}`)
}

console.log(`${minutes} min, ${clients} clients, seed ${seed}, Node ${process.version}`)
console.log(
  `sessions ${counts.sessions}: whole ${counts.whole}, cut ${counts.cut}, not connected ${counts.refused}`,
)
console.log(`replies ${counts.replies}, each checked; connections through the proxy ${accepted}`)
console.log(`bytes in ${passedBytes.toTarget}, out ${passedBytes.toClient}`)
console.log(`faults ${JSON.stringify(applied)}`)
console.log(`heap, middle third ${mebibytes(early ?? 0)}, last third ${mebibytes(late ?? 0)}`)
console.log(`RSS at most ${mebibytes(Math.max(0, ...samples.map(({ rss }) => rss)))}`)
for (const problem of problems.slice(0, 20)) console.error(problem)
if (problems.length > 0) console.error(`problems: ${problems.length}`)
process.exitCode = problems.length === 0 ? 0 : 1
