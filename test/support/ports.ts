/** Ports of 127.0.0.1 that do not answer as a server's does. */
import { once } from 'node:events'
import net from 'node:net'
import { loopTurns } from '../../src/testing/fake-clock.js'
import { runProgram } from './programs.js'
import { dial } from './wire.js'

/** A port on which nobody listens. */
export async function closedPort(): Promise<number> {
  const listener = net.createServer().listen({ port: 0, host: '127.0.0.1' })
  await once(listener, 'listening')
  const { port } = listener.address() as net.AddressInfo
  listener.close()
  await once(listener, 'close')
  return port
}

/** A port whose queue of connections is full: the next one gets no answer. No dial of ours is under way. */
export async function fullPort(): Promise<number> {
  const port = Number(await runProgram('deaf-listener.mjs').nextLine())
  const fillers = Array.from({ length: 6 }, () => dial({ port }))
  await Promise.any(fillers.map(async (socket) => await once(socket, 'connect')))
  // Those that fit are through by now: over loopback the kernel needs no time of ours for it.
  await loopTurns(4)
  for (const socket of fillers) if (socket.connecting) socket.destroy()
  return port
}
