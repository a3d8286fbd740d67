/** Iterating over a server's connections instead of giving it a handler. */
import { once } from 'node:events'
import type net from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Connection } from '../../src/protocol/connection.js'
import type { Handler } from '../../src/protocol/handler.js'
import { lineEcho } from '../../src/server/line-echo.js'
import {
  startServer,
  type IterableServer,
  type ServerOptions,
} from '../../src/server/start-server.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { eventually } from '../support/eventually.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { watch } from '../support/settled.js'
import { dial, receiveAll, send, temporaryFolder } from '../support/wire.js'

guardAgainstLeaks()

/** Starts a server without a handler; it is stopped when the test is over. */
async function listen(options: ServerOptions = {}): Promise<IterableServer> {
  const server = await startServer({ logger: false, ...options })
  onTestFinished(async () => {
    server.abortClients()
    await server.stop({ graceMs: 100 })
  })
  return server
}

/** Clients whose connections the server has, in this order. */
async function joinIn(server: IterableServer, count: number): Promise<net.Socket[]> {
  const clients: net.Socket[] = []
  for (let i = 0; i < count; i++) {
    const before = server.stats.accepted
    const client = dial(server.address)
    clients.push(client)
    await eventually(() => server.stats.accepted > before)
  }
  return clients
}

/** Answers each line until there are no more, then closes. */
async function converse(connection: Connection): Promise<void> {
  await using owned = connection
  for await (const line of owned.reader.lines()) owned.writer.write(`${line}!\n`)
}

/** Takes every connection until the iteration ends. */
async function takeAll(
  server: IterableServer,
  use: (connection: Connection) => unknown = () => {},
): Promise<Connection[]> {
  const taken: Connection[] = []
  for await (const connection of server) {
    taken.push(connection)
    void use(connection)
  }
  return taken
}

const portsOf = (connections: Connection[]): unknown[] =>
  connections.map(({ remote }) => remote !== undefined && 'port' in remote && remote.port)

describe('Iterating over a server', () => {
  test('gives its connections in the order of their coming; who takes them converses and ends them', async () => {
    const server = await listen()
    const taking = takeAll(server, converse)
    const clients = await joinIn(server, 3)
    const ports = clients.map(({ localPort }) => localPort)
    for (const client of clients) {
      await send(client, 'hello\n')
      client.end()
      expect(await receiveAll(client)).toEqual({ end: 'end', bytes: Buffer.from('hello!\n') })
    }
    await eventually(() => server.stats.open === 0)
    await server.stop()
    expect(portsOf(await taking)).toEqual(ports)
  })

  test('gives those too that came before it began, with what they have sent', async () => {
    const server = await listen()
    const clients = await joinIn(server, 3)
    for (const client of clients) {
      await send(client, 'early\n')
      client.end()
    }
    const taking = takeAll(server, converse)
    for (const client of clients) {
      expect((await receiveAll(client)).bytes.toString()).toBe('early!\n')
    }
    await server.stop()
    expect(await taking).toHaveLength(3)
  })

  test('works on a Unix socket', async () => {
    const server = await listen({ path: join(await temporaryFolder(), 's') })
    const taking = takeAll(server, converse)
    const [client] = (await joinIn(server, 1)) as [net.Socket]
    await send(client, 'hello\n')
    client.end()
    expect((await receiveAll(client)).bytes.toString()).toBe('hello!\n')
    await server.stop()
    await taking
  })

  test('may be left: the server and what it has go on, and another loop takes up', async () => {
    const server = await listen()
    const clients = await joinIn(server, 2)
    for await (const connection of server) {
      expect(portsOf([connection])).toEqual([clients[0]?.localPort])
      break
    }
    expect(server.state).toBe('listening')
    expect([...server.connections].map(({ state }) => state)).toEqual(['open', 'open'])
    const [third] = await joinIn(server, 1)
    const rest: Connection[] = []
    for await (const connection of server) {
      rest.push(connection)
      if (rest.length === 2) break
    }
    expect(portsOf(rest)).toEqual([clients[1]?.localPort, third?.localPort])
  })

  test('by several loops gives each connection to one of them', async () => {
    const server = await listen()
    const loops = [takeAll(server), takeAll(server)]
    await joinIn(server, 6)
    server.abortClients()
    await server.stop()
    const taken = (await Promise.all(loops)).flat()
    expect(taken).toHaveLength(6)
    expect(new Set(taken).size).toBe(6)
  })

  test('counts the untaken ones in the cap', async () => {
    const server = await listen({ maxConnections: 3, refusal: 'busy\n' })
    await joinIn(server, 3)
    const late = dial(server.address)
    expect(await receiveAll(late)).toEqual({ end: 'end', bytes: Buffer.from('busy\n') })
    late.end()
    expect(server.stats.refused).toEqual({ 'max-connections': 1 })
  })

  test('refuses beyond the backlog of untaken ones, until they are taken', async () => {
    const server = await listen({ backlog: 3, refusal: (reason) => `${reason}\n` })
    await joinIn(server, 3)
    const late = dial(server.address)
    expect((await receiveAll(late)).bytes.toString()).toBe('backlog-full\n')
    late.end()
    for await (const connection of server) {
      connection.abort()
      break
    }
    await joinIn(server, 1)
    expect(server.stats).toMatchObject({ accepted: 4, refused: { 'backlog-full': 1 } })
  })

  test('leaves out who has gone untaken without a word, and gives who has left one', async () => {
    const server = await listen()
    const [silent, speaking, last] = (await joinIn(server, 3)) as [
      net.Socket,
      net.Socket,
      net.Socket,
    ]
    await send(speaking, 'remember me\n')
    const connections = [...server.connections]
    await eventually(() => connections[1]?.bytesRead === 12)
    for (const client of [silent, speaking]) client.resetAndDestroy()
    await eventually(() => server.stats.open === 1)
    const taken: Connection[] = []
    for await (const connection of server) {
      taken.push(connection)
      if (taken.length === 2) break
    }
    expect(taken.map(({ id }) => id)).toEqual([connections[1]?.id, connections[2]?.id])
    expect(await taken[0]?.reader.readLine()).toBe('remember me')
    last.destroy()
  })

  test('survives peers that are gone before they are looked at', async () => {
    const server = await listen()
    const taking = takeAll(server, async (connection) => await connection.close())
    for (let i = 0; i < 20; i++) {
      const client = dial(server.address)
      await once(client, 'connect')
      client.resetAndDestroy()
    }
    await eventually(() => server.stats.accepted === 20 && server.stats.open === 0)
    expect(await server.stop()).toMatchObject({ drained: 0, aborted: 0, stragglers: [] })
    await taking
  })
})

describe('Server.stop() of a server that is iterated over', () => {
  test('ends the iteration and the reads, and answers what was received', async () => {
    const server = await listen()
    const taking = takeAll(server, converse)
    const clients = await joinIn(server, 3)
    for (const client of clients) await send(client, 'one\ntwo\nbegun')
    const stopped = server.stop()
    for (const client of clients) {
      expect(await receiveAll(client)).toEqual({ end: 'end', bytes: Buffer.from('one!\ntwo!\n') })
      client.end()
    }
    expect(await stopped).toMatchObject({ drained: 3, aborted: 0, stragglers: [] })
    expect(await taking).toHaveLength(3)
    expect(await takeAll(server)).toEqual([])
  })

  test('still gives out what waits to a loop that takes its time', async () => {
    const server = await listen()
    const clients = await joinIn(server, 3)
    for (const client of clients) await send(client, 'hello\n')
    const serving = (async () => {
      for await (const connection of server) await converse(connection)
    })()
    await loopTurns(5)
    const stopped = server.stop()
    for (const client of clients) {
      expect((await receiveAll(client)).bytes.toString()).toBe('hello!\n')
      client.end()
    }
    await serving
    expect(await stopped).toMatchObject({ drained: 3, aborted: 0 })
  })

  test.each(['no loop has begun', 'the loop was left'])(
    'closes what waits at once when %s',
    async (what) => {
      const server = await listen({ graceMs: 60_000 })
      if (what === 'the loop was left') {
        await joinIn(server, 1)
        for await (const connection of server) {
          connection.abort()
          break
        }
      }
      const clients = await joinIn(server, 2)
      const stopped = server.stop()
      for (const client of clients) {
        expect(await receiveAll(client)).toEqual({ end: 'end', bytes: Buffer.alloc(0) })
        client.end()
      }
      expect(await stopped).toMatchObject({ drained: 2, aborted: 0 })
      expect(server.stats.closedBy['server-stopped']).toBe(2)
    },
  )

  test('closes what waits also when the loop is left during the stop', async () => {
    const server = await listen({ graceMs: 60_000 })
    const clients = await joinIn(server, 3)
    for await (const connection of server) {
      const stopped = watch(server.stop())
      await loopTurns(20)
      expect(stopped.state).toBe('pending')
      void connection.close()
      break
    }
    for (const client of clients) {
      expect((await receiveAll(client)).end).toBe('end')
      client.end()
    }
    expect(await server.stop()).toMatchObject({ drained: 3, aborted: 0 })
  })

  test('cuts at the end of the grace what its owner has not ended', async () => {
    const clock = new FakeClock()
    const server = await listen({ clock, graceMs: 1000 })
    const taking = takeAll(server)
    const clients = await joinIn(server, 2)
    const stopped = watch(server.stop())
    await clock.advance(1000)
    expect(await stopped.promise).toMatchObject({ drained: 0, aborted: 2, stragglers: [] })
    const [first] = await taking
    expect((await first?.closed)?.reason).toEqual({ kind: 'timed-out', phase: 'grace' })
    for (const client of clients) expect((await receiveAll(client)).end).toBe('ECONNRESET')
  })
})

describe('startServer()', () => {
  test('with a handler gives nothing to iterate over', async () => {
    const server = await startServer(lineEcho(), { logger: false })
    expect(Symbol.asyncIterator in server).toBe(false)
    await server.stop()
  })

  test('does not take a handler that is undefined by mistake for an iteration', async () => {
    const missing = undefined as unknown as Handler
    await expect(startServer(missing, { port: 0 })).rejects.toThrow(
      'handler must be a function, not undefined',
    )
  })
})
