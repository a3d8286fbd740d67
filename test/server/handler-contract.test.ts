/** What a return and each kind of throw of a handler does to its connection, and what is said of it. */
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { deferred } from '../../src/concurrency/deferred.js'
import {
  DecodeError,
  IncompleteReadError,
  LimitOverrunError,
  StandpipeError,
} from '../../src/errors.js'
import { describeAddress, type CloseInfo, type Connection } from '../../src/protocol/connection.js'
import type { Handler } from '../../src/protocol/handler.js'
import type { Server, ServerOptions } from '../../src/server/start-server.js'
import { eventually } from '../support/eventually.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { RecordingLogger } from '../support/recording-logger.js'
import { serve } from '../support/serve.js'
import { dial, receiveAll, send, wasReset, type Received } from '../support/wire.js'

guardAgainstLeaks()

const PEER: unknown = expect.stringMatching(/^127\.0\.0\.1:\d+$/)

const MIB = 1024 * 1024

interface Played {
  readonly received: Received
  readonly info: CloseInfo
  readonly log: RecordingLogger
  readonly server: Server
  readonly peerName: string
}

/** Serves one client with the handler, lets it send, and gives what came of it. */
async function play(
  handler: Handler,
  data: string | Uint8Array,
  options: ServerOptions & { halfClose?: boolean } = {},
): Promise<Played> {
  const { halfClose = true, ...serverOptions } = options
  const log = new RecordingLogger()
  const ended = deferred<CloseInfo>()
  let peerName = ''
  const server = await serve(
    async (connection) => {
      peerName = describeAddress(connection.remote)
      ended.resolve(connection.closed)
      await handler(connection)
    },
    { logger: log, ...serverOptions },
  )
  const client = dial(server.address)
  const sent = send(client, data).catch(() => {})
  if (halfClose) client.end()
  const received = await receiveAll(client)
  await sent
  client.end()
  return { received, info: await ended.promise, log, server, peerName }
}

const replyThen =
  (next: (connection: Connection) => unknown): Handler =>
  async (connection) => {
    connection.writer.write('the reply\n')
    await next(connection)
  }

describe('A handler that returns', () => {
  test('closes its connection cleanly: what it has written arrives, then the end; nothing is logged', async () => {
    const { received, info, log } = await play(
      replyThen(() => {}),
      'hello\n',
      { halfClose: false },
    )
    expect(received).toEqual({ end: 'end', bytes: Buffer.from('the reply\n') })
    expect(info.reason).toEqual({ kind: 'closed-here' })
    expect(info.error).toBeUndefined()
    expect(log.records).toEqual([])
  })

  test('may be a plain function', async () => {
    const { received } = await play(({ writer }) => writer.write('bye\n'), '')
    expect(received).toEqual({ end: 'end', bytes: Buffer.from('bye\n') })
  })

  test('without reading what the client sends loses no reply, and the client no upload', async () => {
    const { received, info, server } = await play(
      replyThen(() => {}),
      Buffer.alloc(MIB),
      { halfClose: false },
    )
    expect(received).toEqual({ end: 'end', bytes: Buffer.from('the reply\n') })
    expect(info.bytesRead).toBe(MIB)
    expect(server.connections.size).toBe(0)
  })

  test('after the client’s end has the reason `ended`', async () => {
    const { info } = await play(async ({ reader }) => await reader.readAll(), 'hello')
    expect(info.reason).toEqual({ kind: 'ended' })
  })

  test('with a connection that it has aborted or closed itself changes nothing', async () => {
    const aborted = await play((connection) => connection.abort(), '')
    expect(aborted.info.reason).toEqual({ kind: 'aborted' })
    const closed = await play(async (connection) => await connection.close(), '')
    expect(closed.received.end).toBe('end')
    expect([...aborted.log.records, ...closed.log.records]).toEqual([])
  })
})

describe('A handler that throws an outcome', () => {
  const outcomes: [string, Handler, string | Uint8Array, string, ServerOptions?][] = [
    [
      'an incomplete line',
      async ({ reader }) => await reader.readLine(),
      'no newline',
      'ERR_STANDPIPE_INCOMPLETE_READ',
    ],
    [
      'an incomplete read',
      async ({ reader }) => await reader.readExactly(10),
      'short',
      'ERR_STANDPIPE_INCOMPLETE_READ',
    ],
    [
      'a line over the limit',
      async ({ reader }) => await reader.readLine(),
      'x'.repeat(100),
      'ERR_STANDPIPE_LIMIT_OVERRUN',
      { limit: 10 },
    ],
    [
      'a line that is not valid UTF-8',
      async ({ reader }) => await reader.readLine(),
      Buffer.from([0xff, 0x0a]),
      'ERR_STANDPIPE_DECODE',
    ],
    [
      'a call out of time',
      async ({ reader }) => await reader.readExactly(100, { timeoutMs: 20 }),
      '',
      'ERR_STANDPIPE_TIMED_OUT',
    ],
    [
      'the closed connection’s own error',
      async (connection) => {
        void connection.close()
        await connection.reader.readLine()
      },
      '',
      'ERR_STANDPIPE_CLOSED',
    ],
    [
      'a full output',
      ({ writer }) => {
        for (;;) writer.write(Buffer.alloc(1024))
      },
      '',
      'ERR_STANDPIPE_SLOW_CONSUMER',
      { maxBufferedBytes: 10_000 },
    ],
  ]
  test.each(outcomes)(
    'such as %s closes its connection cleanly with all that was written, told once at info',
    async (_what, handler, data, code, options = {}) => {
      const { received, info, log, peerName } = await play(replyThen(handler), data, {
        ...options,
        halfClose: !code.endsWith('TIMED_OUT'),
      })
      expect(received.end).toBe('end')
      expect(received.bytes.subarray(0, 10).toString()).toBe('the reply\n')
      expect(['closed-here', 'ended']).toContain(info.reason.kind)
      expect(log.records).toEqual([
        {
          level: 'info',
          fields: expect.objectContaining({
            err: expect.objectContaining({ code }),
            conn: expect.any(Number),
            peer: PEER,
          }),
          message: `the connection from ${peerName} ended early`,
        },
      ])
    },
  )

  test('that is a reset of the peer is told once at info, with the peer’s address', async () => {
    const log = new RecordingLogger()
    const server = await serve(async ({ reader }) => await reader.readLine(), { logger: log })
    const client = dial(server.address)
    await eventually(() => server.connections.size === 1)
    const address = `127.0.0.1:${client.localPort}`
    client.resetAndDestroy()
    await eventually(() => server.stats.closedBy.reset === 1)
    await eventually(() => log.records.length > 0)
    expect(log.records).toEqual([
      {
        level: 'info',
        fields: {
          err: expect.objectContaining({ code: 'ERR_STANDPIPE_RESET' }),
          reason: 'reset',
          conn: expect.any(Number),
          peer: PEER,
        },
        message: `the connection from ${address} ended early`,
      },
    ])
  })

  test('that is a deadline of its connection is told once at info, and counted', async () => {
    const log = new RecordingLogger()
    const server = await serve(async ({ reader }) => await reader.readLine(), {
      logger: log,
      deadlines: { firstByteMs: 30 },
    })
    const client = dial(server.address)
    expect((await receiveAll(client)).end).toBe('end')
    await eventually(() => server.stats.closedBy['timed-out'] === 1)
    await eventually(() => log.records.length > 0)
    expect(log.records).toMatchObject([
      { level: 'info', fields: { err: { code: 'ERR_STANDPIPE_TIMED_OUT', phase: 'first-byte' } } },
    ])
  })

  test('that is the reason its connection was aborted with is no fault', async () => {
    const reason = new Error('enough of this one')
    const { info, log } = await play(
      async (connection) => {
        const read = connection.reader.readLine()
        connection.abort(reason)
        await read
      },
      '',
      { halfClose: false },
    )
    expect(info).toMatchObject({ reason: { kind: 'aborted' }, error: reason })
    expect(log.records.map(({ level }) => level)).toEqual(['info'])
  })

  test('by signal.throwIfAborted() or draining.throwIfAborted() is no fault', async () => {
    const log = new RecordingLogger()
    const server = await serve(
      async ({ draining }) => {
        await new Promise((resolve) => draining.addEventListener('abort', resolve, { once: true }))
        draining.throwIfAborted()
      },
      { logger: log },
    )
    const client = dial(server.address)
    await eventually(() => server.connections.size === 1)
    const received = receiveAll(client)
    const stopped = server.stop()
    expect((await received).end).toBe('end')
    client.end()
    await stopped
    expect(log.records.map(({ level }) => level)).toEqual(['info'])
  })
})

describe('A handler that throws a fault', () => {
  const faults: [string, (fault: Error) => Handler][] = [
    [
      'in its first turn',
      (fault) => () => {
        throw fault
      },
    ],
    [
      'later',
      (fault) =>
        async ({ reader }) => {
          await reader.readLine()
          throw fault
        },
    ],
    [
      'after it has written',
      (fault) =>
        replyThen(async ({ reader }) => {
          await reader.readLine()
          throw fault
        }),
    ],
  ]
  test.each(faults)(
    '%s aborts its connection alone, and is logged once at error with its stack',
    async (_when, makeHandler) => {
      const fault = new Error('a bug')
      const log = new RecordingLogger()
      const infos: CloseInfo[] = []
      let bad = true
      const server = await serve(
        async (connection) => {
          if (bad) {
            bad = false
            void connection.closed.then((info) => infos.push(info))
            await makeHandler(fault)(connection)
          }
          for await (const line of connection.reader.lines()) {
            connection.writer.write(`${line}\n`)
          }
        },
        { logger: log },
      )
      const victim = dial(server.address)
      const victimWasReset = wasReset(victim)
      await eventually(() => !bad)
      const other = dial(server.address)
      await send(other, 'one\n')
      await send(victim, 'hello\n').catch(() => {})
      expect(await victimWasReset).toBe(true)
      await eventually(() => infos.length === 1)
      expect(infos[0]).toMatchObject({ reason: { kind: 'handler-failed' }, error: fault })

      expect(log.records).toEqual([
        {
          level: 'error',
          fields: { err: fault, conn: expect.any(Number), peer: PEER },
          message: expect.stringMatching(/^the handler of 127\.0\.0\.1:\d+ failed$/),
        },
      ])

      await send(other, 'two\n')
      other.end()
      expect((await receiveAll(other)).bytes.toString()).toBe('one\ntwo\n')
      expect(server.stats.closedBy).toMatchObject({ 'handler-failed': 1 })
    },
  )

  test('before it gives a promise does the same', async () => {
    const log = new RecordingLogger()
    const server = await serve(
      () => {
        throw new Error('a bug')
      },
      { logger: log },
    )
    expect(await wasReset(dial(server.address))).toBe(true)
    await eventually(() => server.stats.closedBy['handler-failed'] === 1)
    expect(log.records.map(({ level, message }) => `${level}: ${message}`)).toEqual([
      expect.stringMatching(/^error: the handler of 127\.0\.0\.1:\d+ failed$/),
    ])
  })

  test('that is no Error is logged as well', async () => {
    const { info, log } = await play(() => {
      throw 'a string'
    }, '')
    expect(info.reason).toEqual({ kind: 'handler-failed' })
    expect(log.records).toMatchObject([{ level: 'error', fields: { err: 'a string' } }])
  })

  test('that is a fault of programming in the kit’s own words is a fault: two reads at once', async () => {
    const { info, log } = await play(async ({ reader }) => {
      await Promise.all([reader.readLine(), reader.readLine()])
    }, 'a')
    expect(info.reason).toEqual({ kind: 'handler-failed' })
    expect(log.records).toMatchObject([
      { level: 'error', fields: { err: { code: 'ERR_STANDPIPE_BUSY' } } },
    ])
  })
})

describe('The logger of a server', () => {
  const fail: Handler = () => {
    throw new Error('a bug')
  }
  function captureStderr(): () => string {
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    onTestFinished(() => write.mockRestore())
    return () => write.mock.calls.map(([text]) => String(text)).join('')
  }

  test('writes faults with their stack to stderr when there is none', async () => {
    const printed = captureStderr()
    const { peerName } = await play(fail, '', { logger: undefined })
    const text = await eventually(() => (printed() === '' ? false : printed()))
    expect(text).toContain(`standpipe: the handler of ${peerName} failed\nError: a bug\n    at `)
  })

  test('writes outcomes nowhere when there is none', async () => {
    const printed = captureStderr()
    await play(async ({ reader }) => await reader.readLine(), 'no newline', { logger: undefined })
    expect(printed()).toBe('')
  })

  test('is silent with `logger: false`', async () => {
    const printed = captureStderr()
    const { info } = await play(fail, '', { logger: false })
    expect(info.reason).toEqual({ kind: 'handler-failed' })
    expect(printed()).toBe('')
  })

  test('is the `log` of each connection', async () => {
    const { log } = await play((connection) => connection.log.warn({ a: 1 }, 'look'), '')
    const fields = { conn: expect.any(Number), peer: PEER, a: 1 }
    expect(log.records).toEqual([{ level: 'warn', fields, message: 'look' }])
  })

  test('makes a child for each connection that logs, where it can', async () => {
    const children: object[] = []
    const log = new RecordingLogger()
    const child = (fields: object): RecordingLogger => {
      children.push(fields)
      return log
    }
    await play(
      (connection) => {
        connection.log.info({ a: 1 }, 'look')
        connection.log.info({ a: 2 }, 'look')
      },
      '',
      { logger: Object.assign(new RecordingLogger(), { child }) },
    )
    expect(children).toEqual([{ conn: expect.any(Number), peer: PEER }])
    expect(log.records.map(({ fields }) => fields)).toEqual([{ a: 1 }, { a: 2 }])
  })
})

describe('A line over the limit', () => {
  test('is answered with what `onLimit` says, and nothing without it', async () => {
    const handler: Handler = async ({ reader, writer }) => {
      for (;;) {
        try {
          const line = await reader.readLine()
          if (line === null) return
          writer.write(`${line}\n`)
        } catch (error) {
          if (!(error instanceof LimitOverrunError)) throw error
        }
      }
    }
    const data = `${'x'.repeat(20)}\nshort\n`
    const silent = await play(handler, data, { limit: 10 })
    expect(silent.received.bytes.toString()).toBe('short\n')
    const told = await play(handler, data, { limit: 10, onLimit: 'too long\n' })
    expect(told.received.bytes.toString()).toBe('too long\nshort\n')
    const exact = await play(handler, data, {
      limit: 10,
      onLimit: (error) => `${error.limit} at most\n`,
    })
    expect(exact.received.bytes.toString()).toBe('10 at most\nshort\n')
  })
})

test('Each outcome is a StandpipeError that a handler can catch by its class', async () => {
  const caught: unknown[] = []
  await play(
    async ({ reader }) => {
      for (;;) {
        try {
          if ((await reader.readLine()) === null) return
        } catch (error) {
          caught.push(error)
        }
      }
    },
    Buffer.concat([Buffer.from([0xff, 0x0a]), Buffer.alloc(20, 'x'), Buffer.from('\npart')]),
    { limit: 10 },
  )
  expect(caught.map((error) => (error as object).constructor)).toEqual([
    DecodeError,
    LimitOverrunError,
    IncompleteReadError,
  ])
  expect(caught.every((error) => error instanceof StandpipeError)).toBe(true)
})
