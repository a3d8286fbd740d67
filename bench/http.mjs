// HTTP: http-mini against node:http, as ratios.
//
//   npm run build && node bench/http.mjs [--rounds 8] [--millis 400] [--connections 64] [--json]
//
// Three loads, each on connections that are kept: one request in flight, sixteen pipelined, and one in flight with the
// 640 octets of fields that a browser sends. How the servers are run side by side: programs/interleaved-run.mjs.
import { parseArgs } from 'node:util'
import { canPin, interleavedRun } from './programs/interleaved-run.mjs'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '8' },
    millis: { type: 'string', default: '400' },
    connections: { type: 'string', default: '64' },
    json: { type: 'boolean', default: false },
  },
})
const rounds = Number(values.rounds)
const millis = Number(values.millis)

const PEERS = [
  ['node:http', 'node-http'],
  ['a function', 'standpipe-http', 'plain'],
  ['an async function', 'standpipe-http', 'async'],
  ['a router', 'standpipe-http', 'router'],
]

const LOADS = [
  ['1 in flight', 1, 'short'],
  ['pipelined 16', 16, 'short'],
  ['640 octets of fields', 1, 'browser'],
  ['640 octets of fields, pipelined 16', 16, 'browser'],
]

const results = {}
for (const [name, depth, head] of LOADS) {
  const load = ['http-load', values.connections, depth, head]
  const rows = await interleavedRun({ peers: PEERS, load, rounds, millis })
  results[name] = rows
  if (values.json) continue
  console.log(
    `\n${name}: ${values.connections} connections; ${rounds} rounds of ${millis} ms; ` +
      `Node ${process.versions.node}; ${canPin ? 'pinned' : 'not pinned'}`,
  )
  console.table(rows)
}
if (values.json) console.log(JSON.stringify(results))
