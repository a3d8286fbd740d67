import { readFileSync } from 'node:fs'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Connection } from '../../src/protocol/connection.js'
import {
  describeLifecycle,
  EVENT_MEANINGS,
  LIFECYCLE,
  nextState,
  STATE_MEANINGS,
  type ConnectionState,
  type LifecycleEvent,
} from '../../src/protocol/lifecycle.js'
import { FakeClock } from '../../src/testing/fake-clock.js'
import { FakeTransport } from '../support/fake-transport.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'

guardAgainstLeaks()

const STATES = Object.keys(STATE_MEANINGS) as ConnectionState[]
const EVENTS = Object.keys(EVENT_MEANINGS) as LifecycleEvent[]

/** The table again, as whoever uses a connection would say it: who may still do what. */
const EXPECTED: Record<ConnectionState, Partial<Record<LifecycleEvent, ConnectionState>>> = {
  connecting: { connect: 'open', secure: 'securing', ...endingIn('closing') },
  securing: { connect: 'open', ...endingIn('closing') },
  open: {
    secure: 'securing',
    peerEnd: 'peerEnded',
    localEnd: 'localEnded',
    ...endingIn('closing'),
  },
  peerEnded: { localEnd: 'closing', ...endingIn('closing') },
  localEnded: { peerEnd: 'closing', ...endingIn('closing') },
  closing: { gone: 'closed' },
  closed: {},
}

function endingIn(state: ConnectionState): Partial<Record<LifecycleEvent, ConnectionState>> {
  return { close: state, cut: state, gone: 'closed' }
}

const ROWS = STATES.flatMap((state) =>
  EVENTS.map((event): [ConnectionState, LifecycleEvent, ConnectionState | undefined] => [
    state,
    event,
    EXPECTED[state][event],
  ]),
)

describe('nextState()', () => {
  test.each(ROWS)('%s, %s: %s', (state, event, next) => {
    expect(nextState(state, event)).toBe(next)
  })
})

describe('the lifecycle table', () => {
  test('has every state, and no event that has no meaning', () => {
    expect(Object.keys(LIFECYCLE)).toEqual(STATES)
    const used = new Set(Object.values(LIFECYCLE).flatMap((row) => Object.keys(row)))
    expect([...used].toSorted()).toEqual(EVENTS.toSorted())
  })

  test('leads from every state to closed, and from there nowhere', () => {
    for (const state of STATES) {
      const reached = new Set<ConnectionState>([state])
      for (const one of reached) for (const next of Object.values(LIFECYCLE[one])) reached.add(next)
      expect(reached).toContain('closed')
    }
    expect(LIFECYCLE.closed).toEqual({})
  })

  test('never leads back to a state in which more was possible, securing apart', () => {
    const order: ConnectionState[] = [
      'connecting',
      'open',
      'peerEnded',
      'localEnded',
      'closing',
      'closed',
    ]
    for (const state of order) {
      for (const next of Object.values(LIFECYCLE[state])) {
        if (next === 'securing') continue
        expect(order.indexOf(next)).toBeGreaterThan(order.indexOf(state))
      }
    }
  })
})

interface Driven {
  readonly connection: Connection
  readonly transport: FakeTransport
}

/** What brings a new connection into a state. Nothing makes `connecting` and `securing` last yet. */
const WAYS: Partial<Record<string, { state: ConnectionState; go: (driven: Driven) => void }>> = {
  open: { state: 'open', go: () => {} },
  peerEnded: { state: 'peerEnded', go: cause('peerEnd') },
  localEnded: { state: 'localEnded', go: cause('localEnd') },
  'closing, by close()': { state: 'closing', go: cause('close') },
  'closing, by a cut': { state: 'closing', go: cause('cut') },
  'closing, the peer ended first': {
    state: 'closing',
    go: (driven) =>
      ['peerEnd', 'localEnd'].forEach((event) => cause(event as LifecycleEvent)(driven)),
  },
  'closing, we ended first': {
    state: 'closing',
    go: (driven) =>
      ['localEnd', 'peerEnd'].forEach((event) => cause(event as LifecycleEvent)(driven)),
  },
  closed: { state: 'closed', go: cause('gone') },
}

/** Makes an event happen to a connection. */
function cause(event: LifecycleEvent): (driven: Driven) => void {
  return ({ connection, transport }) => {
    switch (event) {
      case 'peerEnd':
        transport.emit('end')
        return
      case 'localEnd':
        try {
          connection.writer.writeEof()
        } catch {
          // Refused, since writing has ended with an error.
        }
        return
      case 'close':
        void connection.close()
        return
      case 'cut':
        connection.abort()
        return
      case 'gone':
        transport.emit('close', false)
        return
      case 'connect':
      case 'secure':
      default:
        throw new Error(`nothing causes ${event} yet`)
    }
  }
}

const CAUSED: LifecycleEvent[] = ['peerEnd', 'localEnd', 'close', 'cut', 'gone']

function drive(way: string): Driven & { state: ConnectionState } {
  const { state, go } = WAYS[way] as { state: ConnectionState; go: (driven: Driven) => void }
  const transport = new FakeTransport()
  const connection = new Connection(transport, {
    role: 'inbound',
    logger: false,
    clock: new FakeClock(),
  })
  onTestFinished(() => {
    transport.emit('close', false)
  })
  go({ connection, transport })
  return { connection, transport, state }
}

describe('Connection.state', () => {
  test.each(Object.keys(WAYS).flatMap((way) => CAUSED.map((event) => [way, event] as const)))(
    '%s, %s: as the table says',
    (way, event) => {
      const { connection, transport, state } = drive(way)
      expect(connection.state).toBe(state)
      cause(event)({ connection, transport })
      expect(connection.state).toBe(EXPECTED[state][event] ?? state)
    },
  )

  test('where both sides have ended by themselves, what has arrived can still be read', async () => {
    for (const [first, second] of [
      ['peerEnd', 'localEnd'],
      ['localEnd', 'peerEnd'],
    ] as const) {
      const { connection, transport } = drive('open')
      transport.emit('data', Buffer.from('late but read\n'))
      cause(first)({ connection, transport })
      cause(second)({ connection, transport })
      expect(connection.state).toBe('closing')
      expect(await connection.reader.readLine()).toBe('late but read')
      expect(await connection.reader.readLine()).toBeNull()
      transport.emit('close', false)
      expect((await connection.closed).reason).toEqual({ kind: 'ended' })
    }
  })
})

describe('docs/lifecycle.md', () => {
  test('is what the table says; npm run docs:lifecycle prints it anew', () => {
    const page = readFileSync(new URL('../../docs/lifecycle.md', import.meta.url), 'utf8')
    expect(page).toBe(describeLifecycle())
  })
})
