// A server with room for one, whose logger throws at every call. A handler fails, a peer resets, others are refused, and
// it stops; it prints what that came to, and how often its logger was heard of.
import net from 'node:net'
import { once } from 'node:events'
import { startServer } from '../../../dist/index.js'

const heard = []
for (const event of ['uncaughtException', 'unhandledRejection']) {
  process.on(event, (error) => heard.push(error.message))
}
const failing = () => {
  throw new Error('the logger')
}
const logger = { debug: failing, info: failing, warn: failing, error: failing }

const server = await startServer(
  async ({ reader }) => {
    if ((await reader.readLine()) === 'boom') throw new Error('the handler')
  },
  { logger, maxConnections: 1, refusal: 'busy\n' },
)
const { port } = server.address

async function dial() {
  const socket = net.connect({ port, host: '127.0.0.1' })
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

async function allGone() {
  while (server.stats.open > 0) await new Promise((resolve) => setImmediate(resolve))
}

const failed = await dial()
failed.write('boom\n')
await new Promise((resolve) => failed.on('close', resolve))
await allGone()

const reset = await dial()
while (server.stats.open === 0) await new Promise((resolve) => setImmediate(resolve))
reset.resetAndDestroy()
await allGone()

const inside = await dial()
while (server.stats.open === 0) await new Promise((resolve) => setImmediate(resolve))
const told = []
for (let n = 0; n < 3; n++) {
  const refused = await dial()
  let text = ''
  refused.on('data', (chunk) => {
    text += chunk
  })
  await once(refused, 'end')
  told.push(text)
}
inside.resume()
const outcome = await server.stop({ graceMs: 500 }).catch(({ message }) => message)
await server.closed
const { closedBy, refused, open } = server.stats
console.log(JSON.stringify({ told, outcome, closedBy, refused, open, heard }))
