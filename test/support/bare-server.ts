/** A server of bare sockets, for a test that plays the peer of a command by hand. */
import { once } from 'node:events'
import net from 'node:net'
import { onTestFinished } from 'vitest'

export interface BareServer {
  /** `127.0.0.1:PORT` */
  readonly address: string
  readonly port: number
  /** The next connection; half-open is allowed, and nothing is read before it is resumed or listened to. */
  accept(): Promise<net.Socket>
}

/** Listens on a free port of 127.0.0.1; all of it is gone when the test is over. */
export async function bareServer(): Promise<BareServer> {
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true })
  const sockets: net.Socket[] = []
  const waiting: ((socket: net.Socket) => void)[] = []
  server.on('connection', (socket) => {
    // A reset is told to whoever reads.
    socket.on('error', () => {})
    onFinished.add(socket)
    const next = waiting.shift()
    if (next === undefined) sockets.push(socket)
    else next(socket)
  })
  const onFinished = new Set<net.Socket>()
  onTestFinished(async () => {
    for (const socket of onFinished) socket.destroy()
    server.close()
    if (server.listening) await once(server, 'close')
  })
  server.listen({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  return {
    port,
    address: `127.0.0.1:${port}`,
    accept() {
      const socket = sockets.shift()
      if (socket !== undefined) return Promise.resolve(socket)
      return new Promise((resolve) => waiting.push(resolve))
    },
  }
}
