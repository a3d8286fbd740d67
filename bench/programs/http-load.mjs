// Keeps `depth` requests in flight on each of `connections` kept connections, and compares the status line and the body
// of every reply byte for byte.
// usage: http-load.mjs PORT CONNECTIONS DEPTH short|browser MILLISECONDS → one JSON object on stdout
import net from 'node:net'

const [port, connections, depth] = process.argv.slice(2, 5).map(Number)
const [kind, milliseconds] = process.argv.slice(5)

const BROWSER_FIELDS = [
  'Connection: keep-alive',
  'Cache-Control: max-age=0',
  'sec-ch-ua: "Chromium";v="128", "Not;A=Brand";v="24", "Google Chrome";v="128"',
  'sec-ch-ua-mobile: ?0',
  'sec-ch-ua-platform: "Linux"',
  'Upgrade-Insecure-Requests: 1',
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36',
  'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
  'Sec-Fetch-Site: none',
  'Sec-Fetch-Mode: navigate',
  'Sec-Fetch-Dest: document',
  'Accept-Encoding: gzip, deflate, br, zstd',
  'Accept-Language: en-GB,en;q=0.9',
]
const fields = [`Host: 127.0.0.1:${port}`, ...(kind === 'browser' ? BROWSER_FIELDS : [])]
const request = `GET / HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`
const batch = Buffer.from(request.repeat(depth))
const STATUS_LINE = Buffer.from('HTTP/1.1 200 OK\r\n')
const BODY = Buffer.from('\r\n\r\n{"hello":"world"}')

let replies = 0
let isOver = false
const histogramMicros = []

/** The length of a reply, from the first one: the Date has the same length in each. */
function lengthOfReply(bytes) {
  const at = bytes.indexOf(BODY)
  return at < 0 ? undefined : at + BODY.length
}

function client(index) {
  return new Promise((resolve, reject) => {
    let kept = Buffer.alloc(0)
    let length
    let inFlight = 0
    let sentAt = 0
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
    const send = () => {
      inFlight = depth
      sentAt = performance.now()
      socket.write(batch)
    }
    socket.on('connect', send)
    socket.on('data', (chunk) => {
      const bytes = kept.length === 0 ? chunk : Buffer.concat([kept, chunk])
      length ??= lengthOfReply(bytes)
      let at = 0
      const last = length === undefined ? -1 : bytes.length - length
      while (at <= last) {
        const bodyAt = at + length - BODY.length
        if (
          bytes.compare(STATUS_LINE, 0, STATUS_LINE.length, at, at + STATUS_LINE.length) !== 0 ||
          bytes.compare(BODY, 0, BODY.length, bodyAt, at + length) !== 0
        ) {
          reject(new Error(`connection ${index}: a reply is not what it should be`))
          return
        }
        inFlight--
        replies++
        at += length
      }
      kept = bytes.subarray(at)
      if (inFlight > 0) return
      histogramMicros.push((performance.now() - sentAt) * 1000)
      if (isOver) socket.end()
      else send()
    })
    socket.on('close', () => {
      if (isOver) resolve()
      else reject(new Error(`connection ${index} was ended`))
    })
    socket.on('error', reject)
  })
}

const startedAt = performance.now()
setTimeout(() => {
  isOver = true
}, Number(milliseconds))
await Promise.all(Array.from({ length: connections }, (_, i) => client(i)))
if (replies === 0) throw new Error('no reply was what it should be')
const seconds = (performance.now() - startedAt) / 1000
histogramMicros.sort((a, b) => a - b)
const at = (share) => Math.round(histogramMicros[Math.floor(histogramMicros.length * share)] ?? 0)
process.stdout.write(
  `${JSON.stringify({ replies, seconds, p50Micros: at(0.5), p99Micros: at(0.99) })}\n`,
)
