/** Debug mode and the kit itself: connections that a program drops, and calls that it does not await, with their place. */
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  BoundedQueue,
  Broadcaster,
  Condition,
  Event,
  Mutex,
  retry,
  Semaphore,
  settle,
  sleep,
  taskGroup,
  withTimeout,
} from '../../src/concurrency/index.js'
import { LineClient, openConnection, StreamReader, type Connection } from '../../src/index.js'
import { enableDebugMode, type DebugMode } from '../../src/observe/index.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { connectionPair } from '../../src/testing/index.js'
import { eventually } from '../support/eventually.js'
import { collectGarbage } from '../support/collect-garbage.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { RecordingLogger } from '../support/recording-logger.js'
import { portOf, serve } from '../support/serve.js'

guardAgainstLeaks()

function debugging(): { debug: DebugMode; log: RecordingLogger } {
  const log = new RecordingLogger()
  const debug = enableDebugMode({ logger: log, slowTurnMs: Infinity })
  onTestFinished(() => debug.disable())
  return { debug, log }
}

/** The line of this file that a function is called on, from the stack of an error that it makes. */
function lineOf(error: Error): string {
  return /debug-mode-of-connections\.test\.ts:\d+/.exec(error.stack ?? '')?.[0] ?? ''
}

describe('DebugMode.unclosed()', () => {
  test('names the line that opened a connection and dropped it, until it is closed', async () => {
    const { debug, log } = debugging()
    const server = await serve(async ({ reader }) => await reader.readAll())
    const { port } = server.address as { port: number }
    let place = ''
    async function openAndDrop(): Promise<Connection> {
      place = lineOf(new Error('here'))
      return await openConnection({ port, logger: false })
    }
    const connection = await openAndDrop()
    const unclosed = debug.unclosed()
    expect(unclosed.map(({ role }) => role).toSorted()).toContain('outbound')
    const ours = unclosed.find(({ id }) => id === connection.id)
    const [file, line] = place.split(':')
    expect(ours?.place).toMatch(new RegExp(`^openAndDrop .*${file}:${Number(line) + 1}:`))
    debug.disable()
    const told = log.records.filter(({ fields }) => fields['conn'] === connection.id)
    expect(told).toMatchObject([{ level: 'warn', fields: { role: 'outbound' } }])
    expect(told[0]?.message).toContain('it was opened at openAndDrop')
    await connection.close()
  })

  test('names who opened a LineClient, and forgets a connection that has ended', async () => {
    const { debug } = debugging()
    const server = await serve(async ({ reader }) => await reader.readAll())
    async function openClient(): Promise<LineClient> {
      return await LineClient.open({ port: portOf(server.address), logger: false })
    }
    const client = await openClient()
    const { id } = client.connection
    expect(debug.unclosed().find((one) => one.id === id)?.place).toMatch(/^openClient /)
    await client.close()
    await eventually(() => debug.unclosed().length === 0)
  })

  test('has both ends of a pair in memory, opened where it was made', async () => {
    const { debug } = debugging()
    const pair = connectionPair({ both: { logger: false } })
    expect(debug.unclosed()).toMatchObject([{ role: 'outbound' }, { role: 'inbound' }])
    expect(debug.unclosed()[0]?.place).toContain('debug-mode-of-connections.test.ts')
    await pair[Symbol.asyncDispose]()
    expect(debug.unclosed()).toEqual([])
  })
})

/** A call that the kit hands a promise out for, and its name. What it is called on never ends the call. */
const calls: [string, (c: Connection) => unknown][] = [
  ['StreamReader.readLine()', ({ reader }) => reader.readLine()],
  ['StreamReader.read()', ({ reader }) => reader.read()],
  ['StreamReader.readExactly()', ({ reader }) => reader.readExactly(5)],
  ['StreamReader.readUntil()', ({ reader }) => reader.readUntil('\n')],
  ['StreamReader.readAll()', ({ reader }) => reader.readAll()],
  ['StreamReader.peek()', ({ reader }) => reader.peek(1)],
  ['StreamWriter.drain()', ({ writer }) => writer.drain()],
  ['StreamWriter.flush()', ({ writer }) => writer.flush()],
  ['StreamWriter.waitClosed()', ({ writer }) => writer.waitClosed()],
  ['StreamWriter.pipeFrom()', ({ writer }) => writer.pipeFrom(['a'])],
  ['BoundedQueue.put()', () => new BoundedQueue<number>({ maxSize: 1 }).put(1)],
  ['BoundedQueue.get()', () => new BoundedQueue<number>({ maxSize: 1 }).get()],
  ['BoundedQueue.join()', () => new BoundedQueue<number>({ maxSize: 1 }).join()],
  ['Subscription.get()', () => new Broadcaster<number>().subscribe().get()],
  ['Semaphore.acquire()', () => new Semaphore(1).acquire()],
  ['Semaphore.acquire()', () => new Mutex().acquire()],
  ['Semaphore.use()', () => new Semaphore(1).use(() => 1)],
  ['Event.wait()', () => new Event().wait()],
  [
    'Condition.wait()',
    (): void => {
      const condition = new Condition()
      void condition.use(() => {
        void condition.wait()
      })
    },
  ],
  ['Condition.waitFor()', () => new Condition().waitFor(() => true)],
  ['sleep()', () => sleep(0)],
  ['withTimeout()', () => withTimeout(async () => 1, 1000, { clock: new FakeClock() })],
  ['retry()', () => retry(async () => 1)],
  ['taskGroup()', () => taskGroup(async () => 1)],
  ['settle()', () => settle([Promise.resolve()])],
]

describe('DebugMode.unawaited()', () => {
  test.each(calls)('tells of a %s that nobody awaits, and where', async (name, begin) => {
    const { debug, log } = debugging()
    const pair = connectionPair({ both: { logger: false } })
    function forgetful(): void {
      void begin(pair.client)
    }
    forgetful()
    await loopTurns(3)
    debug.disable()
    await pair[Symbol.asyncDispose]()
    const told = log.records.filter(({ message }) => message.startsWith(name))
    expect(told).toHaveLength(1)
    expect(told[0]?.message).toMatch(
      /was never awaited; it was called at .*debug-mode-of-connections\.test\.ts:\d+/,
    )
  })

  test('tells of a read that nobody awaits also when its connection has ended since', async () => {
    const { debug, log } = debugging()
    const pair = connectionPair({ both: { logger: false } })
    void pair.client.reader.readLine()
    void pair.client.writer.drain()
    await pair[Symbol.asyncDispose]()
    await loopTurns(2)
    debug.disable()
    expect(log.records.map(({ fields }) => fields['call'])).toEqual([
      'StreamReader.readLine()',
      'StreamWriter.drain()',
    ])
  })

  test('tells of a request of a LineClient, a server and a connection that nobody awaits', async () => {
    const { debug, log } = debugging()
    const server = await serve(async ({ reader }) => await reader.readAll())
    const port = portOf(server.address)
    void server.serveForever()
    const client = await LineClient.open({ port, logger: false })
    const refusal = client.request('never answered')
    client.connection.abort()
    await loopTurns(3)
    void LineClient.open({ port, logger: false }).then((one) => one.connection.abort())
    const opened: Promise<Connection> = openConnection({ port, logger: false })
    await loopTurns(2)
    debug.disable()
    const told = log.records.map(({ fields }) => fields['call'])
    expect(told).toContain('Server.serveForever()')
    expect(told).toContain('LineClient.request()')
    expect(told).toContain('openConnection()')
    expect(told).not.toContain('LineClient.open()')
    await expect(refusal).rejects.toThrow('aborted here')
    ;(await opened).abort()
  })

  test('says nothing of calls that are awaited, by whatever, nor of loops and of close()', async () => {
    const { debug, log } = debugging()
    const { client, server, ...pair } = connectionPair({ both: { logger: false } })
    const queue = new BoundedQueue<string>({ maxSize: 2 })
    server.writer.write('one\ntwo\nthree\n')
    await server.writer.drain()
    await queue.put((await client.reader.readLine()) ?? '')
    await queue.put('second')
    const [first] = await Promise.all([queue.get(), client.writer.flush()])
    expect(first).toBe('one')
    for await (const line of client.reader) {
      if (line === 'three') break
    }
    void client.close()
    await pair[Symbol.asyncDispose]()
    await loopTurns(3)
    collectGarbage()
    await loopTurns(3)
    debug.disable()
    expect(log.records.filter(({ fields }) => 'call' in fields)).toEqual([])
  })

  test('gives the same promises and values as without it', async () => {
    const reader = new StreamReader()
    reader.feedData(Buffer.from('one\ntwo\n'))
    const { debug } = debugging()
    expect(await reader.readLine()).toBe('one')
    debug.disable()
    expect(await reader.readLine()).toBe('two')
  })
})
