/** Clients of all kinds at once, that leave when they like: every request is over, every source closed, and nothing is a fault. */
import { connect } from 'node:net'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { TaskPool } from '../../src/concurrency/task-pool.js'
import { Router, startHttpServer, stream } from '../../src/http-mini/index.js'
import { loopTurns } from '../../src/testing/fake-clock.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { RecordingLogger } from '../support/recording-logger.js'
import { portOf } from '../support/serve.js'

guardAgainstLeaks()

const CLIENTS = 300
const AT_ONCE = 30
const SEED = 11

/** Numbers from 0 to 1 that look random and are the same in each run. */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    yield state / 2 ** 32
  }
}

class Dice {
  readonly #numbers = numbers(SEED)

  below(limit: number): number {
    return Math.floor(this.#numbers.next().value * limit)
  }

  oneOf<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T
  }
}

/** Sources that have been begun and not closed. */
let openSources = 0

async function* pieces(count: number): AsyncGenerator<string> {
  openSources++
  try {
    for (let i = 0; i < count; i++) {
      if (i % 3 === 0) await loopTurns(1)
      yield 'x'.repeat(1 + i * 1000)
    }
  } finally {
    openSources--
  }
}

const router = new Router()
  .get('/', () => 'hello')
  .get('/late', async () => {
    await loopTurns(3)
    return { late: true }
  })
  .get('/stream', () => stream(pieces(20)))
  .get('/pieces', () => pieces(20))
  .get('/large', () => 'y'.repeat(300_000))
  .post('/text', async (request) => `${(await request.text()).length}`)
  .post('/unread', () => 'unread')
  .post('/back', (request) => stream(request.body))
  .post('/forgotten', (request) => {
    void request.text()
    return 'at once'
  })
  .get('/lines', async (request) => {
    const { reader, writer } = request.upgrade()
    for await (const line of reader.lines()) {
      writer.write(`${line}\n`)
      await writer.drain()
    }
    return null
  })

/** Bytes that one client sends at once. */
function bytesOf(dice: Dice): string {
  const kind = dice.below(10)
  if (kind < 4) {
    const path = dice.oneOf(['/', '/late', '/stream', '/pieces', '/large', '/none'])
    const close = dice.oneOf(['', '', 'Connection: close\r\n'])
    return `GET ${path} HTTP/1.${dice.oneOf([0, 1, 1])}\r\nHost: a\r\n${close}\r\n`
  }
  const path = dice.oneOf(['/text', '/unread', '/back', '/forgotten'])
  const expects = dice.oneOf(['', '', 'Expect: 100-continue\r\n'])
  const body = 'z'.repeat(dice.below(dice.oneOf([10, 1000, 300_000])))
  if (kind < 6) {
    return `POST ${path} HTTP/1.1\r\nHost: a\r\n${expects}Content-Length: ${body.length}\r\n\r\n${body}`
  }
  if (kind < 8) {
    const chunk = `${body.length.toString(16)}\r\n${body}\r\n`
    return `POST ${path} HTTP/1.1\r\nHost: a\r\n${expects}Transfer-Encoding: chunked\r\n\r\n${body === '' ? '' : chunk}0\r\n\r\n`
  }
  if (kind < 9) {
    return `GET /lines HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: lines\r\n\r\n${'line\n'.repeat(dice.below(2000))}`
  }
  return dice.oneOf([
    '\r\n',
    'GET',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc',
    'junk\r\n\r\n',
    'GET / HTTP/1.1\r\n\r\n',
  ])
}

/** One client, from its first byte to its end. */
async function visit(port: number, dice: Dice): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  const closed = new Promise((resolve) => {
    socket.once('close', resolve)
  })
  // Whoever leaves early may well be reset.
  socket.on('error', () => {})
  const text = Array.from({ length: 1 + dice.below(4) }, () => bytesOf(dice)).join('')
  const cut = dice.oneOf([text.length, dice.below(text.length)])
  const end = dice.oneOf(['fin', 'fin', 'reset', 'destroy', 'reset at once'])
  await once(socket, 'connect')
  socket.write(text.slice(0, cut))
  if (end === 'reset at once') socket.resetAndDestroy()
  else {
    socket.once('data', () => {
      if (end === 'reset') socket.resetAndDestroy()
      if (end === 'destroy') socket.destroy()
    })
    socket.resume()
    await loopTurns(2)
    // No answer may be due: all end at last, whatever they have sent.
    socket.end(text.slice(cut))
  }
  await closed
}

test(`startHttpServer() is done with ${CLIENTS} clients that leave when they like`, async () => {
  const logger = new RecordingLogger()
  const server = await startHttpServer(router, { logger })
  const port = portOf(server.address)
  const dice = new Dice()
  await using pool = new TaskPool({ limit: AT_ONCE })
  const visits = pool.map(Array.from({ length: CLIENTS }), () => visit(port, dice))
  let done = 0
  for await (const _ of visits) done++
  expect(done).toBe(CLIENTS)
  const report = await server.stop()
  expect(report).toMatchObject({ aborted: 0, stragglers: [] })
  // They were not all turned away.
  expect(server.stats.bytesWritten).toBeGreaterThan(5_000_000)
  expect(server.stats.open).toBe(0)
  expect(openSources).toBe(0)
  expect(logger.records.filter(({ level }) => level === 'error')).toEqual([])
})
