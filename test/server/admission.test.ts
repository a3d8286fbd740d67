/** Who is let in: the decision by itself, and what a server makes of it. */
import { once } from 'node:events'
import net from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { resolveLogger } from '../../src/logger.js'
import { Connection } from '../../src/protocol/connection.js'
import {
  Admission,
  defaultCap,
  normalizeAddress,
  type AdmissionOptions,
} from '../../src/server/admission.js'
import { ConnectionSet } from '../../src/server/connection-set.js'
import { countDescriptors, parseLimits } from '../../src/server/descriptors.js'
import { lineEcho } from '../../src/server/line-echo.js'
import { Refusals } from '../../src/server/refusals.js'
import { startServer, type Server, type ServerOptions } from '../../src/server/start-server.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { eventually } from '../support/eventually.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { RecordingLogger } from '../support/recording-logger.js'
import { portOf, serve } from '../support/serve.js'
import { watch } from '../support/settled.js'
import { dial, receiveAll, send, temporaryFolder } from '../support/wire.js'

guardAgainstLeaks()

const echo = lineEcho({ prefix: '' })
const admission = (options: AdmissionOptions): Admission => new Admission(options, undefined)

/** A client from that address of this machine. */
function dialFrom(server: Server, localAddress: string): net.Socket {
  const port = portOf(server.address)
  const socket = net.connect({ port, host: '127.0.0.1', localAddress, allowHalfOpen: true })
  socket.pause()
  socket.on('error', () => {})
  return socket
}

describe('defaultCap()', () => {
  test.each([
    [Infinity, 1024],
    [1280, 1024],
    [1279, 1023],
    [42, 33],
    [2, 1],
    [0, 1],
    [-5, 1],
  ])('with %s descriptors free is %s', (free, cap) => {
    expect(defaultCap(free)).toBe(cap)
  })
})

describe('Admission.admit()', () => {
  test('lets in up to the cap, and again after a release', () => {
    const door = admission({ maxConnections: 2 })
    expect(door.admit('192.0.2.1')).toBeUndefined()
    expect(door.admit(undefined)).toBeUndefined()
    expect(door.admit('192.0.2.1')).toBe('max-connections')
    expect(door.size).toBe(2)
    door.release(undefined)
    expect(door.admit('192.0.2.1')).toBeUndefined()
  })

  test('counts each address by itself, and one peer as one in either spelling', () => {
    const door = admission({ maxConnectionsPerAddress: 2 })
    expect(door.admit('192.0.2.1')).toBeUndefined()
    expect(door.admit('::ffff:192.0.2.1')).toBeUndefined()
    expect(door.admit('192.0.2.1')).toBe('max-per-address')
    expect(door.admit('192.0.2.2')).toBeUndefined()
    expect(door.admit('2001:db8::1')).toBeUndefined()
    door.release('192.0.2.1')
    expect(door.admit('::FFFF:192.0.2.1')).toBeUndefined()
    door.release('::ffff:192.0.2.1')
    door.release('::ffff:192.0.2.1')
    expect(door.admit('192.0.2.1')).toBeUndefined()
    expect(door.size).toBe(3)
  })

  test('applies no rule for addresses where there is no address, and counts none that is unknown', () => {
    const door = admission({ maxConnectionsPerAddress: 1, allow: ['192.0.2.1'], deny: ['::/0'] })
    for (const host of [undefined, undefined]) expect(door.admit(host)).toBeUndefined()
    expect(door.admit('unknown')).toBe('not-allowed')
    const open = admission({ maxConnectionsPerAddress: 1 })
    for (const host of ['unknown', 'unknown']) expect(open.admit(host)).toBeUndefined()
  })

  test.each<[AdmissionOptions, string, string | undefined]>([
    [{ allow: ['10.0.0.0/8'] }, '10.255.0.1', undefined],
    [{ allow: ['10.0.0.0/8'] }, '::ffff:10.255.0.1', undefined],
    [{ allow: ['10.0.0.0/8'] }, '11.0.0.1', 'not-allowed'],
    [{ allow: ['10.0.0.0/8'] }, '::1', 'not-allowed'],
    [{ allow: ['::1', '127.0.0.1'] }, '::1', undefined],
    [{ allow: ['::1', '127.0.0.1'] }, '127.0.0.1', undefined],
    [{ allow: ['::1'] }, '127.0.0.1', 'not-allowed'],
    [{ allow: ['::/0'] }, '127.0.0.1', 'not-allowed'],
    [{ allow: ['0.0.0.0/0'] }, '192.0.2.1', undefined],
    [{ allow: ['::ffff:10.0.0.0/104'] }, '10.1.2.3', undefined],
    [{ allow: ['fe80::/10'] }, 'fe80::1%eth0', undefined],
    [{ allow: [] }, '127.0.0.1', 'not-allowed'],
    [{ deny: ['10.0.0.0/8'] }, '10.0.0.1', 'denied'],
    [{ deny: ['10.0.0.0/8'] }, '192.0.2.1', undefined],
    [{ deny: ['2001:db8::/32'] }, '2001:db8::1', 'denied'],
    [{ deny: [] }, '10.0.0.1', undefined],
    [{ allow: ['10.0.0.0/8'], deny: ['10.1.0.0/16'] }, '10.1.0.1', 'denied'],
    [{ allow: ['10.0.0.0/8'], deny: ['10.1.0.0/16'] }, '10.2.0.1', undefined],
  ])('with %j answers %s with %s', (options, host, reason) => {
    expect(admission(options).admit(host)).toBe(reason)
  })

  test('of a list or a cap that has no meaning is an error that names it', () => {
    const bad = [
      '10.0.0.0/33',
      '::1/129',
      'localhost',
      '10.0.0',
      '10.0.0.0/',
      '/8',
      '',
      'fe80::1%lo',
    ]
    for (const block of bad) {
      expect(() => admission({ allow: [block] })).toThrow(
        new RangeError(
          `allow must hold addresses such as ::1 or blocks such as 10.0.0.0/8, not ${JSON.stringify(block)}`,
        ),
      )
    }
    expect(() => admission({ deny: [7 as unknown as string] })).toThrow(TypeError)
    expect(() => admission({ deny: '10.0.0.0/8' as unknown as string[] })).toThrow(TypeError)
    for (const cap of [0, -1, 1.5, Number.NaN]) {
      expect(() => admission({ maxConnections: cap })).toThrow(`not ${cap}`)
      expect(() => admission({ maxConnectionsPerAddress: cap })).toThrow(RangeError)
    }
    expect(admission({ maxConnections: Infinity }).maxConnections).toBe(Infinity)
  })
})

describe('Admission', () => {
  const of = (limit: number, maxConnections?: number): Admission =>
    new Admission({ maxConnections }, { limit, open: 22 })

  test('warns, with both numbers, of a default that the descriptors have lowered', () => {
    expect(of(64).maxConnections).toBe(33)
    expect(of(64).warning).toEqual({
      fields: { maxConnections: 33, descriptorLimit: 64, descriptorsOpen: 22 },
      message:
        'at most 33 connections instead of 1024: this process may have 64 descriptors, and has 22 open. Raise the limit (ulimit -n)',
    })
    expect(of(20_000).warning).toBeUndefined()
  })

  test('warns of a cap that the descriptors do not allow, and keeps to it', () => {
    expect(of(64, 43).maxConnections).toBe(43)
    expect(of(64, 43).warning?.message).toContain(
      'maxConnections is 43, but this process may have 64 descriptors, and has 22 open',
    )
    expect(of(64, Infinity).warning?.message).toContain('connections are not capped')
    expect(of(64, 42).warning).toBeUndefined()
    expect(admission({ maxConnections: Infinity }).warning).toBeUndefined()
  })

  test('lets so many refused ones linger as leave descriptors free', () => {
    expect(of(64).maxLingeringRefusals).toBe(4)
    expect(of(24).maxLingeringRefusals).toBe(1)
    expect(of(64, 1000).maxLingeringRefusals).toBe(1)
    expect(of(64, Infinity).maxLingeringRefusals).toBe(4)
    expect(of(20_000).maxLingeringRefusals).toBe(64)
    expect(admission({ maxConnections: Infinity }).maxLingeringRefusals).toBe(64)
  })
})

describe('countDescriptors()', () => {
  test('counts those of this process, from /proc or from the report', () => {
    for (const platform of ['linux', 'darwin'] as const) {
      const counted = countDescriptors(platform)
      // The report of an unlimited process has no number.
      if (counted === undefined) continue
      expect(counted.limit).toBeGreaterThan(counted.open)
      expect(counted.open).toBeGreaterThan(3)
    }
    expect(countDescriptors('win32')).toBeUndefined()
  })

  test('reads the table of /proc', () => {
    const table = (soft: string): string =>
      `Limit                     Soft Limit           Hard Limit           Units\nMax open files            ${soft}                 524288               files\n`
    expect(parseLimits(table('1024'))).toBe(1024)
    expect(parseLimits(table('unlimited'))).toBe(Infinity)
    expect(parseLimits('')).toBeUndefined()
  })
})

describe('normalizeAddress()', () => {
  test.each([
    ['::ffff:127.0.0.1', '127.0.0.1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::1', '::1'],
    ['10.0.0.1', '10.0.0.1'],
  ])('makes of %s %s', (host, normal) => {
    expect(normalizeAddress(host)).toBe(normal)
  })
})

describe('A socket that is gone when it is looked at', () => {
  function goneSocket(): net.Socket {
    const socket = new net.Socket()
    socket.destroy()
    return socket
  }

  test('is counted as refused, and sent nothing', async () => {
    const words: string[] = []
    const ended: string[] = []
    const refuse = (reason: string): string => {
      words.push(reason)
      return reason
    }
    const refusals = new Refusals(refuse, 1, resolveLogger(false), {
      role: 'inbound',
      onClosed: (_connection, { reason }) => ended.push(reason.kind),
    })
    refusals.refuse(goneSocket(), 'denied')
    await refusals.idle()
    refusals.close()
    expect(refusals.counts).toEqual({ denied: 1 })
    expect(words).toEqual([])
    expect(ended).toHaveLength(1)
  })

  test('is none of the open connections, with a handler or without', async () => {
    const set = new ConnectionSet()
    const make = (): Connection =>
      new Connection(goneSocket(), {
        role: 'inbound',
        logger: false,
        onClosed: (connection) => set.closed(connection),
      })
    set.keep(make())
    set.serve(make(), () => {})
    await set.idle({ handlers: true })
    expect(set.size).toBe(0)
    expect(set.stragglers()).toEqual([])
  })
})

describe('A server', () => {
  /** Starts one that counts what its handler is run for. */
  async function counting(
    options: ServerOptions,
  ): Promise<{ server: Server; served: Connection[]; log: RecordingLogger }> {
    const served: Connection[] = []
    const log = new RecordingLogger()
    const server = await serve(
      async (connection) => {
        served.push(connection)
        await echo(connection)
      },
      { logger: log, ...options },
    )
    return { server, served, log }
  }

  test('refuses a bad list or cap before it listens', async () => {
    const bad: ServerOptions[] = [
      { allow: ['nonsense'] },
      { deny: ['10.0.0.0/99'] },
      { maxConnections: 0 },
      { maxConnectionsPerAddress: 0.5 },
    ]
    for (const options of bad) await expect(startServer(echo, options)).rejects.toThrow(RangeError)
  })

  test('sends the refusal and ends cleanly, and the handler is never run for it', async () => {
    const { server, served } = await counting({ maxConnections: 1, refusal: 'busy\n' })
    const first = dial(server.address)
    await send(first, 'hello\n')
    await once(first, 'readable')
    const second = dial(server.address)
    // What it has sent must not turn the end into a reset.
    await send(second, 'hello\n'.repeat(1000))
    expect(await receiveAll(second)).toEqual({ end: 'end', bytes: Buffer.from('busy\n') })
    second.end()
    await eventually(() => server.stats.closedBy['not-admitted'] === 1)
    expect(served).toHaveLength(1)
    expect(server.connections.size).toBe(1)
    expect(server.stats).toMatchObject({
      accepted: 1,
      open: 1,
      refused: { 'max-connections': 1 },
      closedBy: { 'not-admitted': 1 },
    })
    expect(server.maxConnections).toBe(1)
  })

  test('lets the next one in when one has gone', async () => {
    const { server, served } = await counting({ maxConnections: 1 })
    for (let i = 1; i <= 5; i++) {
      const client = dial(server.address)
      await send(client, 'hello\n')
      client.end()
      expect((await receiveAll(client)).bytes.toString()).toBe('hello\n')
      await eventually(() => server.stats.open === 0)
      expect(served).toHaveLength(i)
    }
    expect(server.stats.refused).toEqual({})
  })

  test('words the refusal by a function of the reason and the address', async () => {
    const { server } = await counting({
      deny: ['127.0.0.0/8'],
      refusal: (reason, remote) => Buffer.from(`${reason} ${JSON.stringify(remote)}\n`),
    })
    const client = dial(server.address)
    const { bytes, end } = await receiveAll(client)
    const { localPort: port } = client
    client.end()
    expect(end).toBe('end')
    expect(bytes.toString()).toBe(`denied ${JSON.stringify({ host: '127.0.0.1', port })}\n`)
  })

  test('sends nothing when the function gives nothing or fails, and tells of the failure', async () => {
    const failure = new Error('a bug')
    const { server, log } = await counting({
      allow: ['127.0.0.9', '127.0.0.1'],
      deny: ['127.0.0.1'],
      refusal: (reason) => {
        if (reason === 'not-allowed') throw failure
        return undefined
      },
    })
    for (const host of ['127.0.0.1', '127.0.0.2']) {
      const client = dialFrom(server, host)
      expect(await receiveAll(client)).toEqual({ end: 'end', bytes: Buffer.alloc(0) })
      client.end()
    }
    const errors = log.records.filter(({ level }) => level === 'error')
    expect(errors.map(({ fields }) => fields)).toEqual([{ err: failure }])
    expect(server.stats.refused).toEqual({ denied: 1, 'not-allowed': 1 })
  })

  test('caps each address without touching the others', async () => {
    const { server, served } = await counting({ maxConnectionsPerAddress: 2, refusal: 'no more\n' })
    const flood = Array.from({ length: 20 }, () => dialFrom(server, '127.0.0.1'))
    const others = ['127.0.0.2', '127.0.0.3'].map((host) => dialFrom(server, host))
    for (const other of others) {
      await send(other, 'hello\n')
      other.end()
      expect((await receiveAll(other)).bytes.toString()).toBe('hello\n')
    }
    const received = flood.map(receiveAll)
    await eventually(() => server.stats.refused['max-per-address'] === 18)
    for (const client of flood) client.end()
    const texts = (await Promise.all(received)).map(({ bytes }) => bytes.toString())
    expect(texts.filter((text) => text === 'no more\n')).toHaveLength(18)
    expect(served).toHaveLength(4)
    await eventually(() => server.stats.open === 0)
  })

  test('on every interface takes an IPv4 peer for what it is', async () => {
    const { server } = await counting({ host: '::', allow: ['127.0.0.0/8'] })
    const client = dial({ port: portOf(server.address) })
    await send(client, 'hello\n')
    client.end()
    expect((await receiveAll(client)).bytes.toString()).toBe('hello\n')
    const refused = dial({ port: portOf(server.address), host: '::1' })
    expect(await receiveAll(refused)).toMatchObject({ end: 'end', bytes: Buffer.alloc(0) })
    refused.end()
    expect(server.stats.refused).toEqual({ 'not-allowed': 1 })
  })

  test('on a Unix socket counts connections, and knows no addresses', async () => {
    const { server } = await counting({
      path: join(await temporaryFolder(), 's'),
      allow: [],
      deny: ['::/0', '0.0.0.0/0'],
      maxConnections: 2,
      maxConnectionsPerAddress: 1,
      refusal: 'busy\n',
    })
    const [first, second, third] = [1, 2, 3].map(() => dial(server.address))
    await eventually(() => server.stats.accepted === 2)
    expect((await receiveAll(third as net.Socket)).bytes.toString()).toBe('busy\n')
    for (const client of [first, second, third]) client?.end()
    await eventually(() => server.stats.open === 0)
    expect(server.stats.refused).toEqual({ 'max-connections': 1 })
  })

  test('survives a peer that has reset before it is looked at', async () => {
    const { server } = await counting({ maxConnections: 1 })
    dial(server.address)
    await eventually(() => server.stats.accepted === 1)
    for (let i = 0; i < 20; i++) {
      const client = dial(server.address)
      await once(client, 'connect')
      client.resetAndDestroy()
    }
    await eventually(() => server.stats.closedBy['not-admitted'] === 20)
    expect(server.stats).toMatchObject({ open: 1, refused: { 'max-connections': 20 } })
  })

  test('lets at most 64 refused ones linger, and destroys the rest at once', async () => {
    const clock = new FakeClock()
    const { server } = await counting({ deny: ['127.0.0.1'], refusal: 'no\n', clock })
    const clients = Array.from({ length: 200 }, () => dial(server.address))
    const received = await Promise.all(clients.map(receiveAll))
    for (const { bytes, end } of received) expect(`${bytes.toString()}${end}`).toBe('no\nend')
    // None of the clients has ended its half: only those that linger are still there.
    await eventually(() => server.stats.closedBy['not-admitted'] === 136)
    await clock.advance(2000)
    await eventually(() => server.stats.closedBy['not-admitted'] === 200)
  })

  test('tells of a flood in one line a second at most', async () => {
    const clock = new FakeClock()
    const { server, log } = await counting({ maxConnections: 1, deny: ['127.0.0.2'], clock })
    dial(server.address)
    await eventually(() => server.stats.accepted === 1)
    const refuse = async (count: number, host = '127.0.0.1'): Promise<void> => {
      const clients = Array.from({ length: count }, () => dialFrom(server, host))
      await Promise.all(clients.map(receiveAll))
      for (const client of clients) client.end()
    }
    const told = (): string[] =>
      log.records
        .filter(({ message }) => message.startsWith('refused'))
        .map(({ level, message }) => `${level}: ${message}`)
    await refuse(1)
    expect(told()).toEqual([
      expect.stringMatching(/^warn: refused a connection from 127\.0\.0\.1:\d+: max-connections$/),
    ])
    await refuse(30)
    await refuse(5, '127.0.0.2')
    expect(told()).toHaveLength(1)
    await clock.advance(1000)
    expect(told().slice(1)).toEqual(['warn: refused 35 more: max-connections 30, denied 5'])
    // The second after that brings nothing, and the one after it only what the operator has asked for.
    await clock.advance(1000)
    await refuse(3, '127.0.0.2')
    const [, , third, ...more] = told()
    expect(third).toMatch(/^debug: refused a connection from 127\.0\.0\.2:\d+: denied$/)
    expect(more).toEqual([])
    server.abortClients()
    await server.stop()
    expect(told().slice(3)).toEqual(['debug: refused 2 more: denied 2'])
    expect(clock.pendingTimers).toBe(0)
  })

  test('waits at its stop for those that linger, within the grace, and counts none as drained', async () => {
    const clock = new FakeClock()
    const { server } = await counting({ deny: ['127.0.0.1'], refusal: 'no\n', clock })
    const client = dial(server.address)
    expect((await receiveAll(client)).bytes.toString()).toBe('no\n')
    const stopped = watch(server.stop({ graceMs: 1000 }))
    await loopTurns(20)
    expect(stopped.state).toBe('pending')
    await clock.advance(1000)
    expect(await stopped.promise).toMatchObject({ drained: 0, aborted: 0, stragglers: [] })
    expect(clock.pendingTimers).toBe(0)
  })

  test('says at the start what the descriptors have made of its cap', async () => {
    const { server, log } = await counting({ maxConnections: 1e9 })
    expect(server.maxConnections).toBe(1e9)
    const counted = countDescriptors()
    if (counted === undefined) return
    expect(log.records.map(({ level, message }) => `${level}: ${message}`)).toEqual([
      expect.stringContaining(
        `warn: maxConnections is 1000000000, but this process may have ${counted.limit} descriptors`,
      ),
    ])
  })
})
