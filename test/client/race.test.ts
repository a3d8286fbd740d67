/** The race of addresses: in what order, when, and what is left of it. Time and sockets are in the test's hand. */
import net from 'node:net'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { interleaveFamilies, Race, STAGGER_MS } from '../../src/client/race.js'
import type { Address } from '../../src/protocol/connection.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'

const FIRST: Address = { host: '2001:db8::1', port: 80 }
const SECOND: Address = { host: '192.0.2.1', port: 80 }
const THIRD: Address = { host: '2001:db8::2', port: 80 }

/** A race whose sockets connect and fail when the test says so. */
function raceOf(...addresses: Address[]) {
  const clock = new FakeClock()
  const sockets: net.Socket[] = []
  const startedAt: number[] = []
  const outcome: (net.Socket | 'lost')[] = []
  const race = new Race(
    addresses,
    clock,
    () => {
      startedAt.push(clock.now())
      const socket = new net.Socket()
      sockets.push(socket)
      return socket
    },
    { won: (socket) => outcome.push(socket), lost: () => outcome.push('lost') },
  )
  race.start()
  const fail = async (index: number, code = 'ECONNREFUSED'): Promise<void> => {
    sockets[index]?.destroy(Object.assign(new Error(code), { code }))
    await loopTurns(1)
  }
  const connect = (index: number): void => {
    sockets[index]?.emit('connect')
  }
  return { race, clock, sockets, startedAt, outcome, fail, connect }
}

/** The listeners that a socket has beyond those of every new one. */
function listenersOf(socket: net.Socket | undefined): string[] {
  return ['connect', 'error', 'close', 'end', 'data'].flatMap((event) =>
    Array<string>((socket?.listenerCount(event) ?? 0) - new net.Socket().listenerCount(event)).fill(
      event,
    ),
  )
}

describe('Race', () => {
  test('tries the next address after 250 ms without an answer, and goes on with the others', async () => {
    const { clock, sockets, startedAt } = raceOf(FIRST, SECOND, THIRD)
    expect(STAGGER_MS).toBe(250)
    expect(startedAt).toEqual([0])
    await clock.advance(249)
    expect(startedAt).toEqual([0])
    await clock.advance(1)
    expect(startedAt).toEqual([0, 250])
    await clock.advance(60_000)
    expect(startedAt).toEqual([0, 250, 500])
    expect(sockets.map((socket) => socket.destroyed)).toEqual([false, false, false])
    expect(clock.pendingTimers).toBe(0)
  })

  test('tries the next at once when one fails, and the stagger begins anew', async () => {
    const { clock, startedAt, fail } = raceOf(FIRST, SECOND, THIRD)
    await clock.advance(100)
    await fail(0)
    expect(startedAt).toEqual([0, 100])
    await clock.advance(249)
    expect(startedAt).toEqual([0, 100])
    await clock.advance(1)
    expect(startedAt).toEqual([0, 100, 350])
  })

  test('tries the next at once also when it is an earlier one that fails', async () => {
    const { clock, startedAt, fail } = raceOf(FIRST, SECOND, THIRD)
    await clock.advance(260)
    await fail(0)
    expect(startedAt).toEqual([0, 250, 260])
  })

  test('gives up no attempt for being slow: the first wins although all others have failed', async () => {
    const { clock, sockets, outcome, fail, connect } = raceOf(FIRST, SECOND, THIRD)
    await clock.advance(250)
    await fail(1)
    await fail(2)
    await clock.advance(120_000)
    expect(outcome).toEqual([])
    connect(0)
    expect(outcome).toEqual([sockets[0]])
  })

  test('hands the winner over in the turn of its connect, without a listener, and destroys the others', async () => {
    const { race, clock, sockets, outcome, connect } = raceOf(FIRST, SECOND, THIRD)
    await clock.advance(250)
    connect(1)
    expect(outcome).toEqual([sockets[1]])
    expect(listenersOf(sockets[1])).toEqual([])
    expect(sockets.map((socket) => socket.destroyed)).toEqual([true, false])
    expect(clock.pendingTimers).toBe(0)
    expect(race.untried).toEqual([THIRD])
    connect(0)
    await clock.advance(1000)
    expect(outcome).toHaveLength(1)
    expect(sockets).toHaveLength(2)
  })

  test('survives what a destroyed loser still reports', async () => {
    const { clock, sockets, outcome, connect } = raceOf(FIRST, SECOND)
    await clock.advance(250)
    connect(1)
    sockets[0]?.emit('error', new Error('late'))
    expect(outcome).toEqual([sockets[1]])
    expect(listenersOf(sockets[0])).toEqual(['error'])
  })

  test('is lost, once, when every address has failed; the attempts say why and when', async () => {
    const { race, clock, outcome, fail } = raceOf(FIRST, SECOND)
    await clock.advance(10)
    await fail(0, 'EHOSTUNREACH')
    await clock.advance(5)
    expect(outcome).toEqual([])
    await fail(1)
    expect(outcome).toEqual(['lost'])
    expect(race.attempts).toMatchObject([
      { address: FIRST, startedAt: 0, failure: { error: { code: 'EHOSTUNREACH' }, at: 10 } },
      { address: SECOND, startedAt: 10, failure: { error: { code: 'ECONNREFUSED' }, at: 15 } },
    ])
    expect(clock.pendingTimers).toBe(0)
    race.cancel()
  })

  test('that is cancelled leaves no socket, no listener and no timer, and tells nobody', async () => {
    const { race, clock, sockets, outcome, connect } = raceOf(FIRST, SECOND, THIRD)
    await clock.advance(250)
    race.cancel()
    race.cancel()
    connect(0)
    await clock.advance(1000)
    expect(sockets.map((socket) => socket.destroyed)).toEqual([true, true])
    expect(sockets.map(listenersOf)).toEqual([['error'], ['error']])
    expect(outcome).toEqual([])
    expect(clock.pendingTimers).toBe(0)
  })

  test('takes an address that cannot even be begun for a failed one', () => {
    const outcome: string[] = []
    const race = new Race(
      [FIRST, SECOND],
      new FakeClock(),
      ({ ...address }) => {
        throw new TypeError(`no ${'host' in address ? address.host : ''}`)
      },
      { won: () => outcome.push('won'), lost: () => outcome.push('lost') },
    )
    race.start()
    expect(outcome).toEqual(['lost'])
    expect(race.attempts.map(({ failure }) => String(failure?.error))).toEqual([
      'TypeError: no 2001:db8::1',
      'TypeError: no 192.0.2.1',
    ])
  })
})

describe('interleaveFamilies()', () => {
  test('lets the families take turns, beginning with that of the first', () => {
    expect(interleaveFamilies(['::1', '::2', '::3', '1.1.1.1'])).toEqual([
      '::1',
      '1.1.1.1',
      '::2',
      '::3',
    ])
    expect(interleaveFamilies(['1.1.1.1', '::1', '::2', '2.2.2.2', '3.3.3.3'])).toEqual([
      '1.1.1.1',
      '::1',
      '2.2.2.2',
      '::2',
      '3.3.3.3',
    ])
    expect(interleaveFamilies([])).toEqual([])
  })

  test('loses no address, keeps the order in each family, and never lets one go twice while both are left', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.oneof(fc.ipV4(), fc.ipV6()), { maxLength: 12 }), (all) => {
        const turns = interleaveFamilies(all)
        for (const family of [4, 6]) {
          const of = (list: string[]): string[] => list.filter((one) => net.isIP(one) === family)
          expect(of(turns)).toEqual(of(all))
        }
        expect(turns[0]).toBe(all[0])
        const families = turns.map((address) => net.isIP(address))
        const same = families.findIndex((family, i) => i > 0 && family === families[i - 1])
        const rest = same < 0 ? [] : families.slice(same)
        expect(new Set(rest).size).toBeLessThanOrEqual(1)
      }),
    )
  })
})
