// Listens with the shortest backlog, says where on stdout, and never accepts: its queue is full after a few connects.
import net from 'node:net'

const path = process.argv[2]
const server = net.createServer()
const where = path === undefined ? { host: '127.0.0.1', port: 0 } : { path }
server.listen({ ...where, backlog: 1 }, () => {
  const address = server.address()
  process.stdout.write(`${typeof address === 'string' ? address : address.port}\n`)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
})
