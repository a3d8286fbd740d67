// Servers side by side: all are up together, and each round visits them in rotated order, so that what else the
// machine does hits all alike. The server is pinned to one core and the load to another (taskset, where there is
// one). What is compared first is the server's own CPU time for a reply: in the least disturbed round of each, since
// noise only ever adds; then the rate, as the median of the rounds' own ratios. The first peer is what the others are
// compared with.
import { fork, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'

const program = (name) => fileURLToPath(new URL(`${name}.mjs`, import.meta.url))

export const canPin = cpus().length > 1 && spawnSync('taskset', ['--version']).status === 0

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

async function sample(server, load, millis) {
  const [file, ...rest] = load
  const args = [program(file), server.port, ...rest, millis].map(String)
  const before = await usage(server)
  const child = canPin
    ? spawn('taskset', ['-c', '1', process.execPath, ...args])
    : spawn(process.execPath, args)
  let output = ''
  child.stdout.on('data', (data) => (output += data))
  child.stderr.pipe(process.stderr)
  const [code] = await once(child, 'close')
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

export const median = (list) => {
  const sorted = list.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]
}

/**
 * Runs the peers against each other and gives a row for each.
 * peers: [name, program, ...args]; load: [program, ...args], which is called with the port first and the milliseconds last
 */
export async function interleavedRun({ peers, load, rounds, millis }) {
  const servers = []
  for (const peer of peers) servers.push(await start(peer))
  for (const server of servers) await sample(server, load, Math.min(1000, 4 * millis))
  for (let round = 0; round < rounds; round++) {
    const first = round % servers.length
    for (const server of [...servers.slice(first), ...servers.slice(0, first)]) {
      server.samples[round] = await sample(server, load, millis)
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
