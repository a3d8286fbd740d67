/** Two sockets of this process that are connected to each other; the listener is gone when they are there. */
import { mkdtemp, rm } from 'node:fs/promises'
import {
  createServer,
  connect,
  type ListenOptions,
  type Socket,
  type TcpNetConnectOpts,
} from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'

/** A TCP connection over 127.0.0.1: first the end that dialled. Both allow half-open and have not begun to read. */
export async function tcpSocketPair(): Promise<[Socket, Socket]> {
  return await socketPair({ host: '127.0.0.1', port: 0 })
}

/** The same over a Unix socket. */
export async function unixSocketPair(): Promise<[Socket, Socket]> {
  const folder = await mkdtemp(join(tmpdir(), 'standpipe-'))
  try {
    return await socketPair({ path: join(folder, 's') })
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function socketPair(where: ListenOptions): Promise<[Socket, Socket]> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true })
  server.listen(where)
  await once(server, 'listening')
  const address = server.address()
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const dialled = connect({
    ...(typeof address === 'string' ? { path: address } : address),
    allowHalfOpen: true,
  } as TcpNetConnectOpts)
  const [[inbound]] = await Promise.all([accepted, once(dialled, 'connect')])
  server.close()
  return [dialled, inbound]
}
