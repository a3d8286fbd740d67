/**
 * A connection on a transport in memory, with a bare peer, in every order of what the peer, the program and the time
 * may do to it: up to six events of which each happens once, and the peer's lines twice where turns of the loop lie in
 * between.
 *
 * Each order is run with all of it in one moment, and with turns of the loop in between. Left out is what is the same:
 * events behind the first one that finds the connection gone; and, of one moment, the order of a peer that only sends
 * before or after a program that only reads and writes, since neither sees the other before the loop turns; and what
 * cannot be, or is the same as nothing: a peer that sends behind its own end, an abort of a read that has not begun, a
 * drain of what is open and empty.
 */
import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { StandpipeError } from '../../src/errors.js'
import { Connection, type CloseInfo } from '../../src/protocol/connection.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { memoryTransportPair, type MemoryTransport } from '../../src/testing/memory-transport.js'
import { inAllOrders, type Choose } from '../support/all-orders.js'
import { rejection, watch, type Watched } from '../support/settled.js'

const DEPTH = 6
/** What a read takes at a time, and what fills the way to the peer. */
const LINE = 4
const ROOM = 12

/** How often each may happen. */
const HAPPENINGS = {
  'the peer sends': 2,
  'the peer ends': 1,
  'the peer resets': 1,
  read: 1,
  write: 1,
  drain: 1,
  writeEof: 1,
  'the read aborts': 1,
  close: 1,
  abort: 1,
  deadline: 1,
} as const
type Happening = keyof typeof HAPPENINGS
type Gap = 'at once' | 'turns'

const PEER_ALONE: ReadonlySet<Happening> = new Set(['the peer sends', 'the peer ends'])
const PROGRAM_ALONE: ReadonlySet<Happening> = new Set(['read', 'the read aborts', 'write', 'drain'])

const published: { what: string; connection: Connection }[] = []
const note =
  (what: string) =>
  (message: unknown): void => {
    published.push({ what, connection: (message as { connection: Connection }).connection })
  }
const listeners = new Map(
  ['open', 'error', 'close'].map((what) => [`standpipe:connection:${what}`, note(what)]),
)
beforeAll(() => {
  for (const [name, listener] of listeners) subscribe(name, listener)
})
afterAll(() => {
  for (const [name, listener] of listeners) unsubscribe(name, listener)
})

class Scene {
  readonly #clock = new FakeClock()
  readonly #peer: MemoryTransport
  readonly #connection: Connection
  readonly #giveUp = new AbortController()
  readonly #reasons: CloseInfo[] = []
  readonly #waits: { name: string; watched: Watched<unknown> }[] = []
  readonly #lines: string[] = []
  #sent = ''
  #received = ''
  #accepted = ''
  #signalFired = 0
  /** What happened behind the end. */
  readonly #late: string[] = []
  #hasPeerEnded = false
  /** Whether something has happened that may cost bytes: in either direction. */
  #mayLose = { inbound: false, outbound: false }

  constructor(disturb?: (connection: Connection) => void) {
    const [peer, transport] = memoryTransportPair({ bufferBytes: ROOM })
    this.#peer = peer
    peer.on('error', () => {})
    peer.on('data', (chunk: Buffer) => {
      this.#received += chunk.toString()
    })
    peer.pause()
    published.length = 0
    this.#connection = new Connection(transport, {
      role: 'inbound',
      logger: false,
      clock: this.#clock,
      highWaterMark: LINE,
      lowWaterMark: 0,
      deadlines: { firstByteMs: 1000, messageMs: 1000, idleMs: 1000, writeStallMs: 1000 },
      onClosed: (_connection, info) => {
        assert.equal(this.#connection.state, 'closed')
        this.#reasons.push(info)
      },
    })
    this.#connection.signal.addEventListener('abort', () => {
      this.#signalFired++
      if (this.#reasons.length > 0) this.#late.push('the signal')
    })
    this.#wait('closed', this.#connection.closed)
    this.#wait('waitClosed()', this.#connection.writer.waitClosed())
    disturb?.(this.#connection)
  }

  /** Whether it can happen now. */
  may(what: Happening): boolean {
    if (what === 'the read aborts') return this.#isReading
    if (what === 'drain') {
      const { writer } = this.#connection
      return writer.bufferedBytes > 0 || writer.isClosing
    }
    if (what === 'the peer sends' || what === 'the peer ends') {
      return !this.#hasPeerEnded && !this.#peer.destroyed
    }
    return what !== 'the peer resets' || !this.#peer.destroyed
  }

  get isOver(): boolean {
    return this.#reasons.length > 0
  }

  async happen(what: Happening): Promise<void> {
    const connection = this.#connection
    const peer = this.#peer
    switch (what) {
      case 'the peer sends': {
        const line = `${this.#sent.length}`.padStart(LINE - 1, '.')
        this.#sent += `${line}\n`
        peer.write(`${line}\n`, 'latin1', () => {})
        break
      }
      case 'the peer ends':
        peer.end()
        this.#hasPeerEnded = true
        break
      case 'the peer resets':
        peer.resetAndDestroy()
        this.#mayLose = { inbound: true, outbound: true }
        break
      case 'read':
        this.#read()
        break
      case 'write':
        this.#write()
        break
      case 'drain':
        this.#wait('drain()', connection.writer.drain())
        break
      case 'writeEof':
        this.#unlessRefused(() => connection.writer.writeEof())
        break
      case 'the read aborts':
        this.#giveUp.abort(new Error('enough of this read'))
        break
      case 'close':
        this.#wait('close()', connection.close())
        this.#mayLose.inbound = true
        break
      case 'abort':
        connection.abort(new Error('enough of all'))
        this.#mayLose = { inbound: true, outbound: true }
        break
      case 'deadline': {
        const before = connection.state
        await this.#clock.advance(1000)
        if (connection.state !== before) this.#mayLose = { inbound: true, outbound: true }
        break
      }
    }
    this.#check()
  }

  /** Both sides come to their end, and the time passes that this may take. */
  async finish(): Promise<void> {
    const connection = this.#connection
    this.#peer.resume()
    await loopTurns(20)
    if (!this.#peer.destroyed) this.#peer.end()
    await loopTurns(4)
    // What has arrived and was not read is read now, before our close drops it.
    if (!this.#mayLose.inbound) this.#lines.push(...(await linesOf(connection, this.#isReading)))
    this.#wait('close()', connection.close())
    await loopTurns(10)
    if (this.#isOpen) await this.#clock.advance(20_000)
    await loopTurns(2)

    this.#check()
    assert.deepEqual(
      this.#waits.filter(({ watched }) => watched.state === 'pending').map(({ name }) => name),
      [],
    )
    for (const { watched } of this.#waits) {
      const { error } = watched
      if (watched.state !== 'rejected') continue
      const isOurs = error instanceof StandpipeError || error === this.#giveUp.signal.reason
      assert.ok(isOurs || (error as Error).message === 'enough of all', String(error))
    }
    assert.equal(connection.state, 'closed')
    assert.equal(this.#reasons.length, 1)
    assert.equal((await connection.closed).reason, this.#reasons[0]?.reason)
    assert.deepEqual(await rejectionOrNull(connection), [])
    assert.equal(this.#clock.pendingTimers, 0)

    const told = published.filter((one) => one.connection === connection).map(({ what }) => what)
    assert.deepEqual([told[0], told.at(-1)], ['open', 'close'])
    assert.equal(told.filter((what) => what === 'close').length, 1)
    assert.ok(told.filter((what) => what === 'error').length <= 1, told.join(' '))

    if (!this.#mayLose.inbound) assert.equal(this.#lines.join(''), this.#sent)
    if (!this.#mayLose.outbound) assert.equal(this.#received, this.#accepted)
    assert.equal(this.#reasons[0]?.bytesRead, connection.bytesRead)
  }

  get #isOpen(): boolean {
    return this.#connection.state !== 'closed'
  }

  get #isReading(): boolean {
    return this.#waits.some(({ name, watched }) => name === 'read' && watched.state === 'pending')
  }

  #read(): void {
    const read = this.#connection.reader.readLine({
      signal: this.#giveUp.signal,
      keepTerminator: true,
    })
    this.#wait(
      'read',
      read.then((line) => {
        if (line !== null) this.#lines.push(line)
      }),
    )
  }

  #write(): void {
    const { writer } = this.#connection
    const piece = 'more than there is room for'
    const isOpen = !writer.isClosing
    const isTaken = this.#unlessRefused(() => writer.write(piece))
    assert.equal(isTaken, isOpen)
    if (isTaken) this.#accepted += piece
  }

  /** Behind the end a call is refused with an error of the kit, or the reason of the abort. */
  #unlessRefused(call: () => void): boolean {
    try {
      call()
      return true
    } catch (error) {
      const { message } = error as Error
      assert.ok(error instanceof StandpipeError || message === 'enough of all', message)
      return false
    }
  }

  #wait(name: string, promise: Promise<unknown>): void {
    this.#waits.push({ name, watched: watch(promise) })
  }

  /** What must hold at any moment. */
  #check(): void {
    assert.ok(this.#reasons.length <= 1)
    assert.ok(this.#signalFired <= 1)
    assert.deepEqual(this.#late, [])
    assert.ok(this.#sent.startsWith(this.#lines.join('')), this.#lines.join(''))
    assert.ok(this.#accepted.startsWith(this.#received), this.#received)
    assert.ok(this.#connection.bytesRead <= this.#sent.length)
    assert.ok(this.#connection.bytesWritten <= this.#accepted.length)
  }
}

/** The lines that are left, when nobody else reads. */
async function linesOf({ reader }: Connection, isReading: boolean): Promise<string[]> {
  const lines: string[] = []
  if (isReading) return lines
  for (;;) {
    const line = reader.tryReadLine({ keepTerminator: true })
    if (line === null || line === undefined) return lines
    lines.push(line)
  }
}

/** What does not reject on a connection that is gone. */
async function rejectionOrNull({ reader, writer }: Connection): Promise<string[]> {
  const wrong: string[] = []
  const read = watch(reader.read())
  const wait = watch(writer.drain())
  await Promise.resolve()
  await Promise.resolve()
  if (read.state === 'pending') wrong.push('a read waits')
  if (wait.state === 'pending') wrong.push('a drain waits')
  try {
    writer.write('x')
    wrong.push('a write was taken')
  } catch (error) {
    if (!(error instanceof Error)) wrong.push(String(error))
  }
  return wrong
}

async function play(choose: Choose, disturb?: (connection: Connection) => void): Promise<void> {
  const kinds = Object.keys(HAPPENINGS) as Happening[]
  const gap: Gap = choose(['at once', 'turns'])
  const left: Record<Happening, number> = { ...HAPPENINGS }
  // Of one moment two of the same are one that is longer.
  if (gap === 'at once') for (const kind of kinds) left[kind] = 1
  const scene = new Scene(disturb)
  let before: Happening | undefined
  for (let step = 0; step < DEPTH; step++) {
    // Nothing more happens to what is gone: one event behind the end shows it.
    const wasOver = scene.isOver
    const isSame = (kind: Happening): boolean =>
      gap === 'at once' && PEER_ALONE.has(kind) && before !== undefined && PROGRAM_ALONE.has(before)
    const open = kinds.filter((kind) => left[kind] > 0 && scene.may(kind) && !isSame(kind))
    const what = choose<Happening | '-'>(['-', ...open])
    if (what === '-') break
    before = what
    left[what]--
    await scene.happen(what)
    if (gap === 'turns') await loopTurns(3)
    if (wasOver) break
  }
  await scene.finish()
}

test('Connection settles every call, ends once and for one reason, and loses and doubles no byte, in every order of six events', async () => {
  expect(await inAllOrders(play)).toBe(108_018)
}, 240_000)

test('The exploration finds a connection that gives a byte twice', async () => {
  const twice = (connection: Connection): void => {
    const feed = connection.reader.feedData.bind(connection.reader)
    let isFirst = true
    connection.reader.feedData = (chunk) => {
      feed(chunk)
      if (isFirst) feed(Buffer.from(chunk.subarray(0, 1)))
      isFirst = false
    }
  }
  const error = await rejection(inAllOrders((choose) => play(choose, twice)))
  expect((error as Error).message).toMatch(/^in run \d+ \(.*the peer sends/)
})

test('The exploration finds a connection that leaves a drain waiting', async () => {
  const forgetful = ({ writer }: Connection): void => {
    const drain = writer.drain.bind(writer)
    writer.drain = () =>
      writer.bufferedBytes === 0 ? drain() : drain().catch(() => new Promise<never>(() => {}))
  }
  const error = await rejection(inAllOrders((choose) => play(choose, forgetful)))
  expect((error as Error).message).toMatch(/^in run \d+ \(.*drain/)
})
