/** What a program gives to the kit to be called, and what it throws, is broken itself: the kit goes on. */
import { inspect } from 'node:util'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { expect, onTestFinished, vi } from 'vitest'
import { deferred } from '../../src/concurrency/deferred.js'
import { httpHandler } from '../../src/http-mini/index.js'
import type { Logger } from '../../src/logger.js'
import {
  CONNECTION_CLOSE_CHANNEL,
  CONNECTION_ERROR_CHANNEL,
  CONNECTION_OPEN_CHANNEL,
  CONNECTION_REFUSE_CHANNEL,
} from '../../src/observe/index.js'
import type { Connection } from '../../src/protocol/connection.js'
import { lineEcho } from '../../src/server/line-echo.js'
import { startServer, type Server, type ServerOptions } from '../../src/server/start-server.js'
import { loopTurns } from '../../src/testing/fake-clock.js'
import { eventually } from '../support/eventually.js'
import { fault } from '../support/fault.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { runProgram } from '../support/programs.js'
import type { RecordingLogger } from '../support/recording-logger.js'
import { rejection } from '../support/settled.js'
import { dial, receiveAll, send, wasReset, wire } from '../support/wire.js'

guardAgainstLeaks()

const refuseToBeSeen = (): never => {
  throw new Error('do not look at me')
}

function withGetter(name: string): Error {
  return Object.defineProperty(new Error('a bug'), name, { get: refuseToBeSeen })
}

/** What may be thrown, or given as a reason. */
const AWKWARD: readonly (readonly [what: string, make: () => unknown])[] = [
  ['undefined', () => undefined],
  ['null', () => null],
  ['a string', () => 'a bug'],
  ['a symbol', () => Symbol('a bug')],
  ['an object without a prototype', () => Object.create(null) as unknown],
  ['a frozen object', () => Object.freeze({ a: 1 })],
  ['a frozen error', () => Object.freeze(new Error('a bug'))],
  ['an error whose message is no string', () => Object.assign(new Error('a bug'), { message: 5 })],
  ['an error whose stack is no string', () => Object.assign(new Error('a bug'), { stack: 5 })],
  ['an error with a message that throws', () => withGetter('message')],
  ['an error with a stack that throws', () => withGetter('stack')],
  ['an error with a name that throws', () => withGetter('name')],
  ['a Proxy of an error that throws at each look', () => new Proxy(new Error('a bug'), TRAPS)],
  ['a Proxy of an object that throws at each look', () => new Proxy({}, TRAPS)],
  ['a Proxy that was revoked', revoked],
  ['an object that cannot be inspected', () => ({ [inspect.custom]: refuseToBeSeen })],
]

const TRAPS: ProxyHandler<object> = {
  get: refuseToBeSeen,
  getOwnPropertyDescriptor: refuseToBeSeen,
  getPrototypeOf: refuseToBeSeen,
  has: refuseToBeSeen,
  ownKeys: refuseToBeSeen,
}

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

/** What one client is answered with, to its end. */
async function ask(server: Server, line: string): Promise<string> {
  const client = dial(server.address)
  await send(client, line)
  const { bytes } = await receiveAll(client)
  client.end()
  return bytes.toString()
}

/** Whether the program may go on: others are served, and a stop is done at once, with nobody left. */
async function expectGoesOn(server: Server, line = 'still there\n'): Promise<void> {
  const client = dial(server.address)
  const received = receiveAll(client)
  client.end(line)
  expect((await received).bytes.toString()).toContain('still there')
  const report = await server.stop({ graceMs: 2000 })
  expect(report).toMatchObject({ aborted: 0, stragglers: [] })
}

for (const [what, make] of AWKWARD) {
  for (const how of ['throws', 'rejects with'] as const) {
    fault(
      'F80',
      `a handler that ${how} ${what} has its own connection reset, logged once`,
      async ({ serve, log }) => {
        const echo = lineEcho({ prefix: '' })
        let isFirst = true
        const server = await serve((connection) => {
          if (!isFirst) return echo(connection)
          isFirst = false
          if (how === 'throws') throw make()
          return Promise.reject(make())
        })
        expect(await wasReset(dial(server.address))).toBe(true)
        await expectGoesOn(server)
        expect(server.stats.closedBy).toEqual({ 'handler-failed': 1, ended: 1 })
        expect(server.stats.recentCloses.map(({ reason }) => reason.kind)).toEqual([
          'handler-failed',
          'ended',
        ])
        expect(log.records).toMatchObject([{ level: 'error' }])
      },
    )
  }

  fault('F80', `a handler of HTTP that throws ${what} is a 500, logged once`, async (scene) => {
    const server = await scene.serve(
      httpHandler(({ path }) => {
        if (path === '/bad') throw make()
        return 'still there'
      }),
    )
    expect(await ask(server, requestOf('/bad'))).toMatch(/^HTTP\/1\.1 500 /)
    await expectGoesOn(server, requestOf('/'))
    expect(scene.log.records).toMatchObject([{ level: 'error' }])
    expect(server.stats.closedBy).not.toHaveProperty('handler-failed')
  })

  fault('F80', `abort() with ${what} ends the connection, and rejects who waits`, async () => {
    const { connection, peer } = await wire('tcp')
    const reading = rejection(connection.reader.readLine())
    const { signal } = connection
    connection.abort(make())
    expect(await reading).toBeInstanceOf(Error)
    expect(signal.aborted).toBe(true)
    expect((await connection.closed).reason).toEqual({ kind: 'aborted' })
    expect(await wasReset(peer)).toBe(true)
  })
}

function requestOf(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`
}

/** Notes what it is told, and then fails; what is printed on stderr is caught. */
function brokenLogger(
  log: RecordingLogger,
  fail: () => unknown,
): { logger: Logger; printed: () => string } {
  const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  onTestFinished(() => write.mockRestore())
  const failing =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (fields: object, message: string): void => {
      log[level](fields, message)
      void fail()
    }
  return {
    logger: {
      debug: failing('debug'),
      info: failing('info'),
      warn: failing('warn'),
      error: failing('error'),
    },
    printed: () => write.mock.calls.map(([text]) => String(text)).join(''),
  }
}

const logs: readonly (readonly [what: string, fail: () => unknown])[] = [
  ['throws', refuseToBeSeen],
  [
    'throws what cannot be looked at',
    () => {
      throw revoked()
    },
  ],
]
for (const [what, fail] of logs) {
  fault(
    'F81',
    `a logger that ${what} harms nobody: a fault of a handler goes to stderr in its place`,
    async ({ serve, log }) => {
      const { logger, printed } = brokenLogger(log, fail)
      let isFirst = true
      const server = await serve(
        async ({ reader, writer }) => {
          if (isFirst) {
            isFirst = false
            throw new Error('a bug')
          }
          writer.write(`${await reader.readLine()}\n`)
        },
        { logger },
      )
      expect(await wasReset(dial(server.address))).toBe(true)
      await expectGoesOn(server)
      expect(server.stats.closedBy).toMatchObject({ 'handler-failed': 1 })
      expect(printed()).toMatch(/standpipe: the handler of 127\.0\.0\.1:\d+ failed\nError: a bug\n/)
      expect(printed().match(/standpipe: the logger failed/g)).toHaveLength(1)
    },
  )
}

fault(
  'F81',
  'a logger that throws does not keep connections that were reset, cut off or refused from their ends',
  async ({ serve, log }) => {
    const { logger, printed } = brokenLogger(log, refuseToBeSeen)
    const server = await serve(async ({ reader }) => await reader.readExactly(100), {
      logger,
      maxConnections: 1,
      refusal: 'full\n',
    })
    const reset = dial(server.address)
    await send(reset, 'x')
    await eventually(() => [...server.connections][0]?.bytesRead === 1)
    const refused = dial(server.address)
    expect((await receiveAll(refused)).bytes.toString()).toBe('full\n')
    refused.end()
    reset.resetAndDestroy()
    await eventually(() => server.stats.open === 0)
    const partial = dial(server.address)
    partial.end('part of it')
    await receiveAll(partial)
    await eventually(() => server.stats.open === 0)
    expect(await server.stop({ graceMs: 2000 })).toMatchObject({ aborted: 0, stragglers: [] })
    expect(server.stats).toMatchObject({ accepted: 2, refused: { 'max-connections': 1 } })
    expect(server.stats.closedBy).toMatchObject({ reset: 1, 'not-admitted': 1 })
    // A warning goes to stderr as it would without a logger; what is not for there stays away.
    expect(printed()).toContain('standpipe: refused a connection from')
    expect(printed()).not.toContain('ended early')
  },
)

fault(
  'F81',
  'a logger without a child that can be made, and one that rejects later, harm nobody',
  async ({ log }) => {
    const { printed } = brokenLogger(log, refuseToBeSeen)
    const tell = async (fields: object, message: string): Promise<void> => {
      log.error(fields, message)
      await loopTurns(1)
      refuseToBeSeen()
    }
    for (const child of [refuseToBeSeen, undefined]) {
      const server = await startServer(
        () => {
          throw new Error('a bug')
        },
        // What a program may do that is not checked for types.
        {
          logger: { debug: tell, info: tell, warn: tell, error: tell, child } as unknown as Logger,
        },
      )
      expect(await wasReset(dial(server.address))).toBe(true)
      expect(await server.stop({ graceMs: 2000 })).toMatchObject({ aborted: 0, stragglers: [] })
    }
    await eventually(() => printed().match(/standpipe: the logger failed/g)?.length === 2)
    expect(log.records).toHaveLength(2)
    expect(log.records[0]?.fields).toMatchObject({ err: { message: 'a bug' } })
  },
)

const refusals: readonly (readonly [what: string, refusal: () => unknown])[] = [
  ['throws', refuseToBeSeen],
  [
    'throws what cannot be looked at',
    () => {
      throw revoked()
    },
  ],
  ['gives a number', () => 5],
  ['gives null', () => null],
  ['gives a promise', () => Promise.resolve('full\n')],
]
for (const [what, refusal] of refusals) {
  fault(
    'F82',
    `where the function that words a refusal ${what}, peers are refused without words, and the log tells`,
    async ({ serve, log }) => {
      const server = await serve(lineEcho(), {
        allow: ['192.0.2.0/24'],
        refusal,
      } as unknown as ServerOptions)
      for (let n = 0; n < 3; n++) {
        const client = dial(server.address)
        expect(await receiveAll(client)).toEqual({ end: 'end', bytes: Buffer.alloc(0) })
        client.end()
      }
      await eventually(() => server.stats.closedBy['not-admitted'] === 3)
      expect(server.stats.refused).toEqual({ 'not-allowed': 3 })
      const errors = log.records.filter(({ level }) => level === 'error')
      expect(errors).toHaveLength(3)
      for (const { message } of errors) expect(message).toContain('words a refusal')
    },
  )
}

fault('F82', 'a refusal or an onLimit that is neither is an error of the start', async () => {
  for (const name of ['refusal', 'onLimit']) {
    for (const value of [5, {}, null, true]) {
      const error = await rejection(startServer(lineEcho(), { [name]: value } as ServerOptions))
      expect(error).toBeInstanceOf(TypeError)
      expect((error as Error).message).toContain(`${name} must be`)
    }
  }
})

const limits: readonly (readonly [what: string, onLimit: () => unknown])[] = [
  ['gives a number', () => 5],
  ['gives a promise', () => Promise.resolve('too long\n')],
]
for (const [what, onLimit] of limits) {
  fault(
    'F82',
    `where the function of onLimit ${what}, that connection alone ends, as by a fault of its handler`,
    async ({ serve, log }) => {
      const server = await serve(lineEcho({ prefix: '' }), {
        limit: 20,
        onLimit,
      } as unknown as ServerOptions)
      const bad = dial(server.address)
      await send(bad, `${'x'.repeat(50)}\n`)
      expect(await wasReset(bad)).toBe(true)
      await expectGoesOn(server)
      expect(server.stats.closedBy).toEqual({ 'handler-failed': 1, ended: 1 })
      expect(log.records).toMatchObject([{ level: 'error' }])
    },
  )
}

type Act = readonly [what: string, act: (connection: Connection) => void]
const acts: readonly Act[] = [
  ['abort()', (connection) => connection.abort(new Error('enough'))],
  ['close()', (connection) => void connection.close()],
]
const channels = [
  ['open', CONNECTION_OPEN_CHANNEL],
  ['error', CONNECTION_ERROR_CHANNEL],
  ['close', CONNECTION_CLOSE_CHANNEL],
  ['refuse', CONNECTION_REFUSE_CHANNEL],
] as const
for (const [event, channel] of channels) {
  for (const [call, act] of acts) {
    fault(
      'F83',
      `a subscriber that calls ${call} when it is told of the ${event} of a connection ends that, once`,
      async ({ serve }) => {
        let told = 0
        const note = (message: unknown): void => {
          const { connection } = message as { connection: Connection }
          if (connection.role !== 'inbound') return
          told++
          act(connection)
        }
        subscribe(channel, note)
        const stopListening = (): void => void unsubscribe(channel, note)
        onTestFinished(stopListening)
        const isRefused = event === 'refuse'
        let failures = 0
        const server = await serve(
          async ({ reader, writer }) => {
            if (event === 'error' && failures++ < 3) throw new Error('a bug')
            writer.write(`${await reader.readLine()}\n`)
          },
          { maxConnections: isRefused ? 1 : 10, refusal: 'full\n' },
        )
        const first = isRefused ? dial(server.address) : undefined
        await eventually(() => !isRefused || server.stats.open === 1)
        for (let n = 0; n < 3; n++) {
          const client = dial(server.address)
          client.write('hello\n', () => {})
          await receiveAll(client)
          client.end()
        }
        await eventually(() => told === 3 && server.stats.open === (isRefused ? 1 : 0))
        first?.end('hello\n')
        first?.resume()
        stopListening()
        await eventually(() => server.stats.open === 0)
        await expectGoesOn(server)
      },
    )
  }
}

fault(
  'F84',
  'listeners that throw, on the signal of a connection and on that of a stop, keep nothing from its end',
  async ({ serve }) => {
    // Node itself ends a process for them; a program that lives on must find all in order.
    const uncaught: unknown[] = []
    const others = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    const note = (error: unknown): void => void uncaught.push(error)
    process.on('uncaughtException', note)
    onTestFinished(() => {
      process.off('uncaughtException', note)
      for (const listener of others) process.on('uncaughtException', listener)
    })
    const ready = deferred<Connection>()
    const server = await serve(async (connection) => {
      const { signal, draining, reader } = connection
      signal.addEventListener('abort', refuseToBeSeen)
      draining.addEventListener('abort', refuseToBeSeen)
      ready.resolve(connection)
      await reader.readLine()
    })
    const clients = [dial(server.address), dial(server.address)]
    for (const client of clients) client.resume()
    await eventually(() => server.stats.open === 2)
    ;(await ready.promise).abort()
    await eventually(() => server.stats.open === 1)
    const stopping = server.stop({ graceMs: 2000 })
    await Promise.race(clients.map(async (client) => await once(client, 'end')))
    for (const client of clients) client.end()
    expect(await stopping).toMatchObject({ drained: 1, aborted: 0, stragglers: [] })
    expect(server.stats.closedBy).toEqual({ aborted: 1, 'server-stopped': 1 })
    expect(uncaught).toHaveLength(2)
  },
)

fault(
  'F85',
  'where nobody reads stderr any more, a server without a logger goes on when its handlers fail',
  async () => {
    const program = runProgram('failing-server.mjs')
    const port = Number(await program.nextLine())
    program.child.stderr.destroy()
    await once(program.child.stderr, 'close')
    for (let n = 0; n < 20; n++) expect(await wasReset(dial({ port }))).toBe(true)
    program.child.stdin.end()
    expect(await program.ended).toBe(0)
  },
)
