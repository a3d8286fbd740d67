/** A Connection of the kit that is joined to a bare peer: over TCP, over a Unix socket, or in memory. */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { Connection, type ConnectionOptions } from '../../src/protocol/connection.js'
import { SOCKET_OPTIONS, type Transport } from '../../src/protocol/transport.js'
import { loopTurns } from '../../src/testing/fake-clock.js'
import { memoryTransportPair } from '../../src/testing/memory-transport.js'
import { eventually } from './eventually.js'

export type WireKind = 'tcp' | 'unix' | 'memory'

/** Every kind of wire, for `describe.each`. */
export const WIRE_KINDS: readonly WireKind[] = ['tcp', 'unix', 'memory']

export interface Wired {
  /** The end under test. */
  readonly connection: Connection
  /** The other end. It allows half-open and reads nothing until it is resumed or listened to. */
  readonly peer: Transport
}

/** Makes a connection with the role `inbound`, silent unless told otherwise; both ends are cut when the test is over. */
export async function wire(
  kind: WireKind,
  options: Partial<ConnectionOptions> = {},
): Promise<Wired> {
  const wired = kind === 'memory' ? wireInMemory(options) : await wireSockets(kind, options)
  onTestFinished(async () => {
    wired.peer.destroy()
    wired.connection.abort()
    await wired.connection.closed
  })
  return wired
}

function toConnection(transport: Transport, options: Partial<ConnectionOptions>): Connection {
  return new Connection(transport, { role: 'inbound', logger: false, ...options })
}

function wireInMemory(options: Partial<ConnectionOptions>): Wired {
  const [peer, transport] = memoryTransportPair()
  peer.pause()
  // A reset is told as an error; a test that does not listen for it has no interest in it.
  peer.on('error', ignore)
  return { connection: toConnection(transport, options), peer }
}

async function wireSockets(
  kind: 'tcp' | 'unix',
  options: Partial<ConnectionOptions>,
): Promise<Wired> {
  const listener = net.createServer(SOCKET_OPTIONS)
  const accepted = new Promise<Connection>((resolve) => {
    listener.once('connection', (socket) => resolve(toConnection(socket, options)))
  })
  const folder = kind === 'unix' ? await temporaryFolder() : undefined
  listener.listen(
    folder === undefined ? { host: '127.0.0.1', port: 0 } : { path: join(folder, 's') },
  )
  await once(listener, 'listening')
  const peer = dial(listener.address() as net.AddressInfo | string)
  const [connection] = await Promise.all([accepted, once(peer, 'connect')])
  listener.close()
  return { connection, peer }
}

/** Dials with node:net alone. The socket allows half-open, reads nothing yet, and is destroyed when the test is over. */
export function dial(
  address: string | { port: number; host?: string; address?: string } | { path: string },
): net.Socket {
  const where =
    typeof address === 'string'
      ? { path: address }
      : 'path' in address
        ? address
        : { port: address.port, host: address.host ?? address.address ?? '127.0.0.1' }
  const socket = net.connect({ ...where, allowHalfOpen: true, noDelay: true })
  socket.pause()
  socket.on('error', ignore)
  onTestFinished(() => {
    socket.destroy()
  })
  return socket
}

/** A folder that is removed when the test is over. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'standpipe-test-'))
  onTestFinished(async () => {
    await rm(folder, { recursive: true, force: true })
  })
  return folder
}

/** What a peer has received, and how it ended. */
export interface Received {
  readonly bytes: Buffer
  /** `end` for a FIN, `close` when it was destroyed here, else the errno. */
  readonly end: string
}

/** Reads a peer to its end. */
export async function receiveAll(peer: Transport): Promise<Received> {
  const chunks: Buffer[] = []
  const end = new Promise<string>((resolve) => {
    peer.on('data', (chunk) => chunks.push(chunk))
    peer.on('end', () => resolve('end'))
    peer.on('error', (error) => resolve((error as NodeJS.ErrnoException).code ?? error.message))
    peer.on('close', () => resolve('close'))
    if (peer.destroyed) resolve('close')
  })
  peer.resume()
  return { end: await end, bytes: Buffer.concat(chunks) }
}

/**
 * Reads a peer to its end and tells whether that was a reset. Node 20 and 22 report a reset behind data as an end;
 * the first write afterwards, which a peer that has merely ended still takes, gives it away.
 */
export async function wasReset(peer: Transport): Promise<boolean> {
  const { end } = await receiveAll(peer)
  if (end !== 'end') return end === 'ECONNRESET'
  return send(peer, 'x').then(
    () => false,
    () => true,
  )
}

/** Writes to a peer and resolves when the kernel has taken it all. */
export async function send(peer: Transport, data: string | Uint8Array): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const done = (error?: Error | null): void => {
      if (error) reject(error)
      else resolve()
    }
    if (typeof data === 'string') peer.write(data, 'utf8', done)
    else peer.write(data, done)
  })
}

/** Writes each piece so that it arrives as a chunk of its own, as far as a network promises any such thing. */
export async function sendApart(peer: Transport, pieces: readonly Uint8Array[]): Promise<void> {
  for (const piece of pieces) {
    await send(peer, piece)
    await loopTurns(2)
  }
}

/** Resolves when the connection has received so many bytes in all. */
export async function hasRead(connection: Connection, bytes: number): Promise<void> {
  await eventually(() => connection.bytesRead >= bytes, { what: `${bytes} bytes have arrived` })
}

/** Writes until every buffer between is full, with a peer that reads nothing. */
export async function clog(connection: Connection, bytes = CLOG_BYTES): Promise<void> {
  connection.writer.write(Buffer.alloc(bytes))
  await standsStill(connection)
  if (connection.writer.bufferedBytes === 0) throw new Error(`${bytes} bytes found room on the way`)
}

/** More than the kernel's buffers of a loopback connection hold. */
export const CLOG_BYTES = 16 * 1024 * 1024

/** Resolves when the kernel takes no more of what is written. */
export async function standsStill(connection: Connection): Promise<void> {
  let before = -1
  await eventually(() => {
    const isStill = connection.bytesWritten === before
    before = connection.bytesWritten
    return isStill
  })
}

function ignore(): void {}
