/** Requests and replies of one line each: their pairing, their ends, and what was not asked for. */
import { getEventListeners } from 'node:events'
import { describe, expect, onTestFinished, test } from 'vitest'
import { LineClient, type LineClientOptions } from '../../src/client/line-client.js'
import {
  BrokenError,
  ClosedError,
  DecodeError,
  IncompleteReadError,
  LimitOverrunError,
  SlowConsumerError,
  TimeoutError,
} from '../../src/errors.js'
import { lineEcho } from '../../src/server/line-echo.js'
import {
  connectionPair,
  type ConnectionPair,
  type ConnectionPairOptions,
} from '../../src/testing/connection-pair.js'
import type { Clock } from '../../src/concurrency/clock.js'
import { loopTurns } from '../../src/testing/fake-clock.js'
import { eventually } from '../support/eventually.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { closedPort } from '../support/ports.js'
import { portOf, serve } from '../support/serve.js'
import { rejection, watch } from '../support/settled.js'

guardAgainstLeaks()

interface Scene extends ConnectionPair {
  readonly line: LineClient
  /** What the server has received, line by line. */
  readonly received: string[]
  /** Sends lines to the client, which has them when this resolves. */
  readonly reply: (...lines: (string | Buffer)[]) => Promise<void>
}

/** A client in memory, and a server that does what the test says. */
function scene(options: LineClientOptions = {}, pairOptions: ConnectionPairOptions = {}): Scene {
  // Only the client's timers are of interest.
  const server = { deadlines: { firstByteMs: Infinity, idleMs: Infinity } }
  const pair = connectionPair({ both: { logger: false }, server, ...pairOptions })
  onTestFinished(() => pair[Symbol.asyncDispose]())
  const line = new LineClient(pair.client, { clock: pair.clock, ...options })
  const received: string[] = []
  const receive = async (): Promise<void> => {
    for await (const one of pair.server.reader) received.push(one)
    await pair.server.close()
  }
  void receive().catch(() => {})
  return {
    ...pair,
    line,
    received,
    async reply(...lines) {
      for (const one of lines) {
        pair.server.writer.write(one)
        pair.server.writer.write('\n')
      }
      await loopTurns(6)
    },
  }
}

describe('LineClient.request()', () => {
  test('gives the line that answers, without its terminator', async () => {
    const { line, received, reply } = scene()
    const asked = line.request('ping')
    await reply('pong\r')
    expect(await asked).toBe('pong')
    expect(received).toEqual(['ping'])
  })

  test('pipelines: the replies come back in the order of the calls', async () => {
    const { line, received, reply } = scene()
    const asked = Promise.all(['a', '', 'c'].map((text) => line.request(text)))
    expect(line.inFlight).toBe(3)
    await loopTurns(4)
    expect(received).toEqual(['a', '', 'c'])
    await reply('1', '2')
    expect(line.inFlight).toBe(1)
    await reply('3')
    expect(await asked).toEqual(['1', '2', '3'])
  })

  test('ends lines with CRLF when told to', async () => {
    const { line, server } = scene({ terminator: '\r\n' })
    const read = server.reader.readLine().catch(() => undefined)
    line.request('x').catch(() => {})
    await read
    await loopTurns(4)
    expect(server.bytesRead).toBe(3)
  })

  test.each<[string, unknown, string]>([
    ['an LF', 'a\nb', '"a\\nb"'],
    ['a CR', 'a\r', '"a\\r"'],
    ['no string', 5, 'number'],
  ])('refuses a line with %s, and sends nothing', async (_what, text, named) => {
    const { line, received } = scene()
    for (const call of [line.request(text as string), line.send(text as string)]) {
      const error = await rejection(call)
      expect(error).toBeInstanceOf(TypeError)
      expect((error as Error).message).toContain(named)
    }
    await loopTurns(4)
    expect(line.inFlight).toBe(0)
    expect(received).toEqual([])
  })

  test('refuses a timeout that is none, and a signal that is aborted', async () => {
    const { line, received } = scene()
    const reason = new Error('no')
    for (const call of [line.request.bind(line), line.send.bind(line)]) {
      expect(await rejection(call('x', { timeoutMs: 0 }))).toBeInstanceOf(RangeError)
      expect(await rejection(call('x', { signal: AbortSignal.abort(reason) }))).toBe(reason)
    }
    await loopTurns(4)
    expect(received).toEqual([])
  })
})

describe('LineClient.request() that is given up', () => {
  test('keeps its place when it was sent: its reply goes to nobody, the next one to the next', async () => {
    const { line, reply } = scene()
    const giveUp = new AbortController()
    const reason = new Error('enough')
    const first = watch(line.request('a', { signal: giveUp.signal }))
    const second = line.request('b')
    giveUp.abort(reason)
    await Promise.resolve()
    expect(first.error).toBe(reason)
    expect(line.inFlight).toBe(2)
    await reply('for a', 'for b')
    expect(await second).toBe('for b')
    expect(line.inFlight).toBe(0)
    expect(getEventListeners(giveUp.signal, 'abort')).toEqual([])
  })

  test('is withdrawn when it was not sent, and the next takes its turn', async () => {
    const { line, received, reply } = scene({ maxInFlight: 1 })
    const giveUp = new AbortController()
    const first = line.request('a')
    const second = watch(line.request('b', { signal: giveUp.signal }))
    const third = line.request('c')
    await loopTurns(4)
    giveUp.abort(new Error('enough'))
    await reply('for a')
    await reply('for c')
    expect([await first, await third]).toEqual(['for a', 'for c'])
    expect(second.state).toBe('rejected')
    expect(received).toEqual(['a', 'c'])
  })

  test('after 30 s is a TimeoutError that says so, and its reply is swallowed', async () => {
    const { line, clock, reply } = scene()
    const first = watch(line.request('a'))
    await clock.advance(29_999)
    expect(first.state).toBe('pending')
    await clock.advance(1)
    expect(first.error).toBeInstanceOf(TimeoutError)
    expect(first.error).toMatchObject({
      phase: 'call',
      timeoutMs: 30_000,
      message: 'connection to an unknown address: no reply within 30000 ms',
    })
    const second = line.request('b')
    await reply('for a', 'for b')
    expect(await second).toBe('for b')
  })

  test('while it waits for its turn says how many replies are due, and is never sent', async () => {
    const { line, clock, received, reply } = scene({ maxInFlight: 1, requestTimeoutMs: 1000 })
    const first = line.request('a', { timeoutMs: Infinity })
    const second = watch(line.request('b'))
    await clock.advance(1000)
    expect(second.error).toMatchObject({
      timeoutMs: 1000,
      message:
        'connection to an unknown address: not sent within 1000 ms (replies still to come: 1)',
    })
    await reply('for a')
    expect(await first).toBe('for a')
    await loopTurns(4)
    expect(received).toEqual(['a'])
  })

  test('has one timer, for the earliest deadline, however many wait', async () => {
    const { line, clock, reply } = scene({ requestTimeoutMs: 500 })
    const waits = [300, 100, undefined, 200, Infinity].map((timeoutMs) =>
      watch(line.request('x', { timeoutMs })),
    )
    expect(clock.pendingTimers).toBe(1)
    const states = (): string => waits.map(({ state }) => state[0]).join('')
    await clock.advance(100)
    expect(states()).toBe('prppp')
    expect(clock.pendingTimers).toBe(1)
    await clock.advance(100)
    expect(states()).toBe('prprp')
    await clock.advance(100)
    expect(states()).toBe('rrprp')
    await reply('1', '2', '3')
    expect(waits[2]?.value).toBe('3')
    await clock.advance(1000)
    expect(states()).toBe('rrrrp')
    expect(clock.pendingTimers).toBe(0)
  })

  test('at its deadline first hears what came while the process was busy', async () => {
    let now = 0
    const timers: (() => void)[] = []
    const clock: Clock = {
      now: () => now,
      setTimeout: (callback) => timers.push(callback),
      clearTimeout: () => {},
    }
    const { line, client } = scene({ clock, requestTimeoutMs: 50 })
    const asked = watch(line.request('a'))
    setImmediate(() => {
      client.reader.feedData(Buffer.from('just in time\n'))
    })
    now = 60
    for (const fire of timers) fire()
    await loopTurns(2)
    expect(asked.value).toBe('just in time')
  })

  test('leaves no listener on a signal that many share', async () => {
    const { line, reply } = scene()
    const { signal } = new AbortController()
    const asked = Promise.all(Array.from({ length: 50 }, () => line.request('x', { signal })))
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    await reply(...Array<string>(50).fill('y'))
    await asked
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })
})

describe('LineClient, whose reply cannot be read,', () => {
  test('rejects that request alone, and the order is kept', async () => {
    const { line, reply } = scene({}, { both: { logger: false, limit: 10 } })
    const asked = ['a', 'b', 'c', 'd'].map((text) => watch(line.request(text)))
    await reply('for a', Buffer.from('ff', 'hex'), 'much too long, that is', 'for d')
    expect(asked[0]?.value).toBe('for a')
    expect(asked[1]?.error).toBeInstanceOf(DecodeError)
    expect(asked[2]?.error).toBeInstanceOf(LimitOverrunError)
    expect(asked[3]?.value).toBe('for d')
  })

  test('ends when the reply has no end at all', async () => {
    const { line, server } = scene({}, { both: { logger: false, limit: 10 } })
    const asked = ['a', 'b'].map((text) => watch(line.request(text)))
    while (!server.writer.isClosing) {
      server.writer.write('1234567890')
      await loopTurns(2)
    }
    expect(asked.map(({ error }) => error)).toEqual([
      expect.any(LimitOverrunError),
      expect.any(LimitOverrunError),
    ])
    expect(await rejection(line.request('c'))).toBe(asked[1]?.error)
  })
})

describe('LineClient and the end of its connection', () => {
  test('a reply that is cut short is IncompleteReadError, those behind it are BrokenError', async () => {
    const { line, server, client } = scene({ maxInFlight: 2 })
    const asked = ['a', 'b', 'c'].map((text) => watch(line.request(text)))
    server.writer.write('for')
    await server.close()
    expect(asked[0]?.error).toBeInstanceOf(IncompleteReadError)
    expect(asked[0]?.error).toMatchObject({ partial: Buffer.from('for') })
    for (const { error } of asked.slice(1)) {
      expect(error).toBeInstanceOf(BrokenError)
      expect(error).toMatchObject({
        retryable: true,
        message: 'connection to an unknown address: the peer has ended it',
      })
    }
    expect(await rejection(line.request('d'))).toBeInstanceOf(BrokenError)
    expect(await rejection(line.send('d'))).toBeInstanceOf(BrokenError)
    // It does not stay half-open.
    expect((await client.closed).reason).toEqual({ kind: 'ended' })
  })

  test('replies that came before the end are given', async () => {
    const { line, server } = scene()
    const asked = ['a', 'b'].map((text) => watch(line.request(text)))
    server.writer.write('for a\n')
    await server.close()
    expect(asked[0]?.value).toBe('for a')
    expect(asked[1]?.error).toBeInstanceOf(BrokenError)
  })

  test('a reset is BrokenError, for those that wait and for those that come', async () => {
    const { line, server, clock } = scene()
    const asked = ['a', 'b'].map((text) => watch(line.request(text)))
    server.abort()
    await loopTurns(6)
    expect(asked[0]?.error).toMatchObject({ code: 'ERR_STANDPIPE_RESET' })
    expect(asked[1]?.error).toBe(asked[0]?.error)
    expect(await rejection(line.request('c'))).toBe(asked[0]?.error)
    expect(clock.pendingTimers).toBe(0)
  })

  test('an abort or a close of the connection rejects with its error', async () => {
    for (const end of ['abort', 'close'] as const) {
      const { line, client } = scene()
      const asked = watch(line.request('a'))
      void client[end]()
      await loopTurns(4)
      expect(asked.error).toBeInstanceOf(ClosedError)
      expect(await rejection(line.request('b'))).toBeInstanceOf(ClosedError)
      expect(await rejection(line.send('b'))).toBeInstanceOf(ClosedError)
    }
  })

  test('a reason that is no error stands behind a ClosedError', async () => {
    const { line, client } = scene()
    const asked = watch(line.request('a'))
    client.abort('because')
    await loopTurns(4)
    expect(asked.error).toBeInstanceOf(ClosedError)
  })

  test('a call in the turn of the end is refused as well, and nothing is left of it', async () => {
    const { line, client, clock } = scene()
    client.abort()
    const [asked, sent] = [watch(line.request('a')), watch(line.send('b'))]
    await loopTurns(4)
    expect(asked.error).toBeInstanceOf(ClosedError)
    expect(sent.error).toBeInstanceOf(ClosedError)
    expect(clock.pendingTimers).toBe(0)
  })

  test('a reader that somebody else reads from ends the client', async () => {
    const pair = connectionPair({ both: { logger: false } })
    onTestFinished(() => pair[Symbol.asyncDispose]())
    pair.client.reader.readLine().catch(() => {})
    const line = new LineClient(pair.client, { clock: pair.clock })
    await loopTurns(2)
    expect(await rejection(line.request('a'))).toMatchObject({ code: 'ERR_STANDPIPE_BUSY' })
  })

  test('rejections that nobody awaits are no fault of the process', async () => {
    const { line, server } = scene({ maxInFlight: 1 })
    void line.request('a')
    void line.request('b')
    void line.send('c')
    server.abort()
    await loopTurns(6)
    void line.request('d')
    void line.send('e')
    // The guard of the test counts what is unhandled.
    await loopTurns(2)
    expect(line.inFlight).toBe(0)
  })
})

describe('LineClient.send()', () => {
  test('goes out in its turn, and the next reply belongs to the next request', async () => {
    const { line, received, reply } = scene({ maxInFlight: 1 })
    const first = line.request('a')
    const between = watch(line.send('b'))
    const second = line.request('c')
    const last = watch(line.send('d'))
    await loopTurns(4)
    expect(received).toEqual(['a', 'b'])
    expect([between.state, last.state]).toEqual(['resolved', 'pending'])
    await reply('for a')
    await reply('for c')
    expect([await first, await second, await last.promise]).toEqual(['for a', 'for c', undefined])
    expect(received).toEqual(['a', 'b', 'c', 'd'])
  })

  test('may be withdrawn while it waits for its turn', async () => {
    const { line, clock, received, reply } = scene({ maxInFlight: 1 })
    const giveUp = new AbortController()
    const first = line.request('a')
    const second = line.request('b')
    const aborted = watch(line.send('c', { signal: giveUp.signal }))
    const timedOut = watch(line.send('d', { timeoutMs: 100 }))
    giveUp.abort(new Error('enough'))
    await clock.advance(100)
    expect([aborted.state, timedOut.state]).toEqual(['rejected', 'rejected'])
    expect(timedOut.error).toBeInstanceOf(TimeoutError)
    await reply('1')
    await reply('2')
    await Promise.all([first, second])
    expect(received).toEqual(['a', 'b'])
  })

  test('in a loop goes no faster than the peer', async () => {
    const { line, client, server, serverTransport } = scene(
      {},
      { transport: { bufferBytes: 1000 }, both: { logger: false } },
    )
    serverTransport.pause()
    const text = 'x'.repeat(1023)
    let count = 0
    const flood = async (): Promise<void> => {
      for (; count < 200; count++) await line.send(text)
    }
    const flooding = watch(flood())
    await loopTurns(50)
    expect(client.writer.bufferedBytes).toBeLessThan(70 * 1024)
    expect(count).toBeLessThan(70)
    serverTransport.resume()
    await flooding.promise
    await eventually(() => server.bytesRead === 200 * 1024)
  })
})

describe('LineClient under pressure', () => {
  test('has at most maxInFlight requests under way', async () => {
    const { line, received, reply } = scene({ maxInFlight: 2 })
    const asked = ['a', 'b', 'c', 'd', 'e'].map((text) => watch(line.request(text)))
    await loopTurns(6)
    expect(received).toEqual(['a', 'b'])
    expect(line.inFlight).toBe(2)
    await reply('1')
    expect(received).toEqual(['a', 'b', 'c'])
    await reply('2', '3')
    await reply('4', '5')
    expect(asked.map(({ value }) => value)).toEqual(['1', '2', '3', '4', '5'])
  })

  test('waits for drain before it writes on', async () => {
    const marks = { highWaterMark: 100 }
    const { line, client, clientTransport, received, reply } = scene(marks, {
      client: { logger: false, ...marks },
    })
    clientTransport.clog()
    const asked = Array.from({ length: 5 }, (_, i) => watch(line.request(`${i}`.repeat(60))))
    await loopTurns(4)
    expect(client.writer.bufferedBytes).toBe(2 * 61)
    clientTransport.unclog()
    await loopTurns(8)
    expect(received).toHaveLength(5)
    await reply('0', '1', '2', '3', '4')
    expect(asked.map(({ value }) => value)).toEqual(['0', '1', '2', '3', '4'])
  })

  test('refuses a call when more waits for its turn than the cap, and nothing of it is sent', async () => {
    const { line, received, reply } = scene({ maxInFlight: 1, maxBufferedBytes: 100 })
    const asked = ['a', 'b'.repeat(200)].map((text) => watch(line.request(text)))
    for (const call of [line.request('c'), line.send('c')]) {
      const error = await rejection(call)
      expect(error).toBeInstanceOf(SlowConsumerError)
      expect(error).toMatchObject({
        maxBufferedBytes: 100,
        message: expect.stringContaining('await replies'),
      })
    }
    await reply('1')
    await reply('2')
    expect(asked.map(({ value }) => value)).toEqual(['1', '2'])
    const late = line.request('d')
    await reply('3')
    expect(await late).toBe('3')
    expect(received).toEqual(['a', 'b'.repeat(200), 'd'])
  })
})

describe('LineClient.unasked()', () => {
  test('gives the lines that came while no reply was due', async () => {
    const { line, server, reply } = scene()
    await reply('one')
    const asked = line.request('a')
    await reply('for a', 'two')
    expect(await asked).toBe('for a')
    const lines: string[] = []
    const collect = async (): Promise<void> => {
      for await (const one of line.unasked()) lines.push(one)
    }
    const collecting = collect()
    await reply('three')
    await server.close()
    await collecting
    expect(lines).toEqual(['one', 'two', 'three'])
  })

  test('can be left and taken up again, and shared', async () => {
    const { line, reply } = scene()
    await reply('one', 'two')
    for await (const one of line.unasked()) {
      expect(one).toBe('one')
      break
    }
    const [first, second] = [line.unasked(), line.unasked()]
    expect(await first.next()).toEqual({ done: false, value: 'two' })
    const waiting = [first.next(), second.next()]
    await reply('three', 'four')
    expect(await Promise.all(waiting)).toMatchObject([{ value: 'three' }, { value: 'four' }])
  })

  test('drops the oldest past its bound, and counts them', async () => {
    const { line, server, reply } = scene({ maxUnasked: 2 })
    await reply('1', '2', '3', '4', '5')
    expect(line.unaskedDropped).toBe(3)
    await server.close()
    const lines: string[] = []
    for await (const one of line.unasked()) lines.push(one)
    expect(lines).toEqual(['4', '5'])
  })

  test('keeps none with a bound of 0, and still gives those that are waited for', async () => {
    const { line, reply } = scene({ maxUnasked: 0 })
    await reply('1')
    expect(line.unaskedDropped).toBe(1)
    const waiting = line.unasked().next()
    await reply('2')
    expect(await waiting).toMatchObject({ value: '2' })
  })

  test('throws in place of a line that cannot be read, and a new loop goes on', async () => {
    const { line, reply } = scene()
    const waiting = rejection(line.unasked().next())
    await reply(Buffer.from('ff', 'hex'), Buffer.from('fe', 'hex'), 'good')
    expect(await waiting).toBeInstanceOf(DecodeError)
    expect(await rejection(line.unasked().next())).toBeInstanceOf(DecodeError)
    expect(await line.unasked().next()).toMatchObject({ value: 'good' })
  })

  test('can be bounded for each line', async () => {
    const { line, clock, reply } = scene()
    const giveUp = new AbortController()
    const reason = new Error('enough')
    const patient = watch(line.unasked({ timeoutMs: 1000 }).next())
    const bounded = watch(line.unasked({ timeoutMs: 100 }).next())
    const aborted = watch(line.unasked({ signal: giveUp.signal }).next())
    giveUp.abort(reason)
    await clock.advance(100)
    expect(bounded.error).toMatchObject({
      phase: 'call',
      message: 'no line came within 100 ms',
    })
    expect(aborted.error).toBe(reason)
    expect(await rejection(line.unasked({ signal: giveUp.signal }).next())).toBe(reason)
    expect(await rejection(line.unasked({ timeoutMs: -1 }).next())).toBeInstanceOf(RangeError)
    await reply('for the patient')
    expect(patient.value).toMatchObject({ value: 'for the patient' })
  })

  test('ends with the error of a connection that broke, after the lines', async () => {
    const { line, server, reply } = scene()
    const waiting = watch(line.unasked().next())
    await reply('one', 'two')
    server.abort()
    await loopTurns(6)
    expect(waiting.value).toMatchObject({ value: 'one' })
    expect(await line.unasked().next()).toMatchObject({ value: 'two' })
    expect(await rejection(line.unasked().next())).toBeInstanceOf(BrokenError)
    expect(await rejection(line.unasked().next())).toBeInstanceOf(BrokenError)
  })

  test('that waits when the connection breaks gets the error, and when the client closes an end', async () => {
    const broken = scene()
    const cut = watch(broken.line.unasked({ timeoutMs: 5000 }).next())
    broken.server.abort()
    await loopTurns(6)
    expect(cut.error).toBeInstanceOf(BrokenError)
    expect(broken.clock.pendingTimers).toBe(0)

    const closed = scene()
    const ended = watch(closed.line.unasked().next())
    void closed.line.close()
    await loopTurns(6)
    expect(ended.value).toEqual({ done: true, value: undefined })
  })
})

describe('LineClient.close()', () => {
  test('waits for the replies that are due, refuses calls, and then closes', async () => {
    const { line, client, reply, received } = scene({ maxInFlight: 1 })
    const asked = ['a', 'b'].map((text) => watch(line.request(text)))
    const sent = watch(line.send('c'))
    const closing = watch(line.close())
    expect(await rejection(line.request('d'))).toMatchObject({
      code: 'ERR_STANDPIPE_CLOSED',
      message: 'the client is closed',
    })
    expect(await rejection(line.send('d'))).toBeInstanceOf(ClosedError)
    await reply('1')
    expect(closing.state).toBe('pending')
    expect(client.state).toBe('open')
    await reply('2')
    expect(asked.map(({ value }) => value)).toEqual(['1', '2'])
    expect(sent.state).toBe('resolved')
    await loopTurns(8)
    expect(client.state).not.toBe('open')
    expect(received).toEqual(['a', 'b', 'c'])
    await eventually(() => closing.state === 'resolved')
    expect((await client.closed).reason).toEqual({ kind: 'closed-here' })
    await line.close()
  })

  test('does not wait for replies that nobody waits for', async () => {
    const { line, client } = scene()
    const giveUp = new AbortController()
    line.request('a', { signal: giveUp.signal }).catch(() => {})
    const closing = line.close()
    expect(client.state).toBe('open')
    giveUp.abort()
    expect(client.state).toBe('closing')
    await closing
  })

  test('is bounded by the deadlines of the requests', async () => {
    const { line, clock } = scene()
    const asked = watch(line.request('a'))
    const closing = watch(line.close())
    await clock.advance(30_000)
    expect(asked.error).toBeInstanceOf(TimeoutError)
    await eventually(() => closing.state === 'resolved')
    expect(clock.pendingTimers).toBe(0)
  })

  test('ends with a connection that ends meanwhile', async () => {
    const { line, server } = scene()
    const asked = watch(line.request('a'))
    const closing = line.close()
    server.abort()
    await closing
    expect(asked.error).toBeInstanceOf(BrokenError)
    expect(await rejection(line.request('b'))).toMatchObject({ message: 'the client is closed' })
  })
})

describe('LineClient.open()', () => {
  test('connects over TCP, and asks a real server', async () => {
    const server = await serve(lineEcho({ prefix: 're: ' }))
    await using line = await LineClient.open({ port: portOf(server.address) })
    const texts = Array.from({ length: 3000 }, (_, i) => `line ${i}`)
    const replies = await Promise.all(texts.map((text) => line.request(text)))
    expect(replies).toEqual(texts.map((text) => `re: ${text}`))
    expect(line.connection.remote).toEqual(server.address)
  })

  test('rejects as openConnection does', async () => {
    expect(await rejection(LineClient.open({ port: await closedPort() }))).toMatchObject({
      code: 'ERR_STANDPIPE_CONNECT',
    })
  })

  test.each<[string, LineClientOptions, typeof RangeError | typeof TypeError, string]>([
    ['no time', { requestTimeoutMs: 0 }, RangeError, 'requestTimeoutMs'],
    ['no place', { maxInFlight: 0 }, RangeError, 'maxInFlight'],
    ['half a place', { maxInFlight: 1.5 }, RangeError, '1.5'],
    ['less than no line', { maxUnasked: -1 }, RangeError, '-1'],
    ['a terminator that is none', { terminator: '\r' as '\n' }, TypeError, '"\\r"'],
    ['no buffer', { maxBufferedBytes: 0 }, RangeError, 'maxBufferedBytes'],
  ])('refuses %s, and dials nobody', async (_what, options, kind, named) => {
    const server = await serve(lineEcho())
    const error = await rejection(LineClient.open({ port: portOf(server.address), ...options }))
    expect(error).toBeInstanceOf(kind)
    expect((error as Error).message).toContain(named)
    expect(server.stats.accepted).toBe(0)
  })
})
