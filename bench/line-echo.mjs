// Line echo: standpipe against node:net written by hand, as ratios.
//
//   npm run build && node bench/line-echo.mjs [--rounds 8] [--millis 400] [--connections 64] [--bytes 32] [--json]
//
// All servers are up together; each round visits them in rotated order, so that what else the machine does hits
// all alike. The server is pinned to one core and the load to another (taskset, where there is one). What is
// compared first is the server's own CPU time for a reply: in the least disturbed round of each, since noise
// only ever adds; then the rate, as the median of the rounds' own ratios.
import { fork, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '8' },
    millis: { type: 'string', default: '400' },
    connections: { type: 'string', default: '64' },
    bytes: { type: 'string', default: '32' },
    json: { type: 'boolean', default: false },
  },
})
const rounds = Number(values.rounds)

const program = (name) => fileURLToPath(new URL(`programs/${name}.mjs`, import.meta.url))
const canPin = cpus().length > 1 && spawnSync('taskset', ['--version']).status === 0

const PEERS = [
  ['node:net by hand', 'naive-echo'],
  ['readLine, write, drain', 'standpipe-echo', 'plain'],
  ['tryReadLine', 'standpipe-echo', 'sync'],
  ['lineBatches', 'standpipe-echo', 'batches'],
  ['the echo command', 'standpipe-echo', 'command'],
]

async function start([name, file, ...args]) {
  const child = fork(program(file), args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const [{ port }] = await once(child, 'message')
  if (canPin) spawnSync('taskset', ['-a', '-c', '-p', '0', String(child.pid)])
  return { name, child, port, samples: [] }
}

async function usage({ child }) {
  child.send('usage')
  const [answer] = await once(child, 'message')
  return answer
}

async function sample(server, depth, millis) {
  const args = [program('load'), server.port, values.connections, depth, values.bytes, millis].map(
    String,
  )
  const before = await usage(server)
  const load = canPin
    ? spawn('taskset', ['-c', '1', process.execPath, ...args])
    : spawn(process.execPath, args)
  let output = ''
  load.stdout.on('data', (data) => (output += data))
  load.stderr.pipe(process.stderr)
  const [code] = await once(load, 'close')
  if (code !== 0) throw new Error(`the load on ${server.name} failed`)
  const after = await usage(server)
  const { replies, seconds, p50Micros, p99Micros } = JSON.parse(output)
  return {
    rate: replies / seconds,
    cpuMicros: (after.cpuMicros - before.cpuMicros) / replies,
    p50Micros,
    p99Micros,
    rssMiB: after.rssBytes / 2 ** 20,
  }
}

const median = (list) => {
  const sorted = list.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]
}

async function scenario(depth) {
  const servers = []
  for (const peer of PEERS) servers.push(await start(peer))
  for (const server of servers) await sample(server, depth, 1000)
  for (let round = 0; round < rounds; round++) {
    const first = round % servers.length
    for (const server of [...servers.slice(first), ...servers.slice(0, first)]) {
      server.samples[round] = await sample(server, depth, Number(values.millis))
    }
  }
  for (const { child } of servers) child.disconnect()
  const [base] = servers
  const least = (server) => Math.min(...server.samples.map((one) => one.cpuMicros))
  return servers.map((server) => ({
    peer: server.name,
    'replies/s': Math.round(median(server.samples.map((one) => one.rate))),
    'rate x': Number(
      median(server.samples.map((one, i) => one.rate / base.samples[i].rate)).toFixed(2),
    ),
    'CPU us/reply': Number(least(server).toFixed(2)),
    'CPU x': Number((least(base) / least(server)).toFixed(2)),
    'p50 us': median(server.samples.map((one) => one.p50Micros)),
    'p99 us': median(server.samples.map((one) => one.p99Micros)),
    'RSS MiB': Math.round(Math.max(...server.samples.map((one) => one.rssMiB))),
  }))
}

const results = {}
for (const depth of [1, 16]) {
  const rows = await scenario(depth)
  results[`in flight ${depth}`] = rows
  if (values.json) continue
  console.log(
    `\n${values.connections} connections, lines of ${values.bytes} bytes, ${depth} in flight; ` +
      `${rounds} rounds of ${values.millis} ms; Node ${process.versions.node}; ${canPin ? 'pinned' : 'not pinned'}`,
  )
  console.table(rows)
}
if (values.json) console.log(JSON.stringify(results))
