// Keeps `depth` lines in flight on each of `connections` sockets, and compares every reply byte for byte.
// usage: load.mjs PORT CONNECTIONS DEPTH LINE_BYTES MILLISECONDS → one JSON object on stdout
import net from 'node:net'

const [port, connections, depth, lineBytes, milliseconds] = process.argv.slice(2).map(Number)
const PREFIX = Buffer.from('echo: ')

let replies = 0
let isOver = false
const histogramMicros = []

function client(index) {
  return new Promise((resolve, reject) => {
    const line = Buffer.from(
      `${`connection ${index} `.padEnd(lineBytes - 1, 'x').slice(0, lineBytes - 1)}\n`,
    )
    const reply = Buffer.concat([PREFIX, line])
    const window = Buffer.concat(Array.from({ length: depth }, () => line))
    let inFlight = 0
    let at = 0
    let sentAt = 0
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
    const send = () => {
      inFlight = depth
      sentAt = performance.now()
      socket.write(window)
    }
    socket.on('connect', send)
    socket.on('data', (chunk) => {
      for (let i = 0; i < chunk.length;) {
        const n = Math.min(reply.length - at, chunk.length - i)
        if (chunk.compare(reply, at, at + n, i, i + n) !== 0) {
          reject(new Error(`connection ${index}: a reply is not what was sent`))
          return
        }
        at += n
        i += n
        if (at < reply.length) break
        at = 0
        inFlight--
        replies++
      }
      if (inFlight > 0) return
      histogramMicros.push((performance.now() - sentAt) * 1000)
      if (isOver) socket.end()
      else send()
    })
    socket.on('close', resolve)
    socket.on('error', reject)
  })
}

const startedAt = performance.now()
setTimeout(() => {
  isOver = true
}, milliseconds)
await Promise.all(Array.from({ length: connections }, (_, i) => client(i)))
const seconds = (performance.now() - startedAt) / 1000
histogramMicros.sort((a, b) => a - b)
const at = (share) => Math.round(histogramMicros[Math.floor(histogramMicros.length * share)] ?? 0)
process.stdout.write(
  `${JSON.stringify({ replies, seconds, p50Micros: at(0.5), p99Micros: at(0.99) })}\n`,
)
