// Line echo: standpipe against node:net written by hand, as ratios.
//
//   npm run build && node bench/line-echo.mjs [--rounds 8] [--millis 400] [--connections 64] [--bytes 32] [--json]
//
// How the servers are run side by side: programs/interleaved-run.mjs.
import { parseArgs } from 'node:util'
import { canPin, interleavedRun } from './programs/interleaved-run.mjs'

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
const millis = Number(values.millis)

const PEERS = [
  ['node:net by hand', 'naive-echo'],
  ['readLine, write, drain', 'standpipe-echo', 'plain'],
  ['tryReadLine', 'standpipe-echo', 'sync'],
  ['lineBatches', 'standpipe-echo', 'batches'],
  ['the echo command', 'standpipe-echo', 'command'],
]

const results = {}
for (const depth of [1, 16]) {
  const load = ['load', values.connections, depth, values.bytes]
  const rows = await interleavedRun({ peers: PEERS, load, rounds, millis })
  results[`in flight ${depth}`] = rows
  if (values.json) continue
  console.log(
    `\n${values.connections} connections, lines of ${values.bytes} bytes, ${depth} in flight; ` +
      `${rounds} rounds of ${millis} ms; Node ${process.versions.node}; ${canPin ? 'pinned' : 'not pinned'}`,
  )
  console.table(rows)
}
if (values.json) console.log(JSON.stringify(results))
