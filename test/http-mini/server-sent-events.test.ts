import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { Broadcaster } from '../../src/concurrency/broadcaster.js'
import type { ServerSentEvent } from '../../src/http-mini/event-text.js'
import type { HttpResponse } from '../../src/http-mini/http-response.js'
import type { EventChannel, SendEvent } from '../../src/http-mini/pushed-events.js'
import {
  encodeEvent,
  lastEventIdOf,
  sse,
  type SentEvent,
  type ServerSentEventsOptions,
} from '../../src/http-mini/server-sent-events.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { fakeRequest } from '../support/fake-request.js'
import { rejection, watch } from '../support/settled.js'

const BEAT = ':\n\n'

interface Sent {
  readonly response: HttpResponse
  readonly body: AsyncIterator<string | Uint8Array>
  /** The next piece as text; undefined at the end. */
  readonly next: () => Promise<string | undefined>
  /** What `connection.abort()` was called with. */
  readonly cuts: unknown[]
  /** The server begins to stop. */
  readonly drain: () => void
  readonly draining: AbortSignal
}

function send(
  source: Parameters<typeof sse>[1],
  options: ServerSentEventsOptions = {},
  headers: Record<string, string> = {},
): Sent {
  const cuts: unknown[] = []
  const draining = new AbortController()
  const request = Object.assign(fakeRequest('/events', { headers }), {
    connection: { abort: (error: unknown) => cuts.push(error), draining: draining.signal },
  })
  const response = sse(request, source, options)
  const body = (response.body as AsyncIterable<string | Uint8Array>)[Symbol.asyncIterator]()
  const next = async (): Promise<string | undefined> => {
    const { done, value } = await body.next()
    return done === true ? undefined : Buffer.from(value as Uint8Array).toString()
  }
  return { response, body, next, cuts, drain: () => draining.abort(), draining: draining.signal }
}

/** A function that sends, together with what it was given. */
function sender(): {
  readonly produce: (push: SendEvent, channel: EventChannel) => void
  send: SendEvent
  channel: EventChannel
  isStarted: boolean
} {
  const made = {
    produce: (push: SendEvent, channel: EventChannel) => {
      Object.assign(made, { send: push, channel, isStarted: true })
    },
    send: undefined as unknown as SendEvent,
    channel: undefined as unknown as EventChannel,
    isStarted: false,
  }
  return made
}

describe('sse()', () => {
  it('has the head of a stream of events, and begins at once', async () => {
    const { response, next } = send([], { headers: { 'x-a': 'b' } })
    expect(response.status).toBe(200)
    expect(Object.fromEntries(response.headers)).toEqual({
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-store',
      'X-Accel-Buffering': 'no',
      'x-a': 'b',
    })
    expect(await next()).toBe(BEAT)
    expect(await next()).toBeUndefined()
    expect(await next()).toBeUndefined()
  })

  it.each(['text', undefined, 7])('refuses %j as a source', (source) => {
    expect(() => send(source as never)).toThrow(TypeError)
    expect(() => send(source as never)).toThrow(`not ${typeof source}`)
  })

  it('tells the page when to connect again', async () => {
    expect(await send([], { retryMs: 2000 }).next()).toBe('retry: 2000\n\n')
  })

  it('sends what a source gives: events, texts and bytes', async () => {
    async function* events(): AsyncGenerator<SentEvent> {
      yield { event: 'tick', id: '1', data: { n: 1 } }
      yield 'a\nb'
      await Promise.resolve()
      yield encodeEvent({ comment: 'c' })
    }
    for (const source of [
      events(),
      [{ event: 'tick', id: '1', data: { n: 1 } }, 'a\nb', encodeEvent({ comment: 'c' })],
    ]) {
      const { next } = send(source)
      expect(await next()).toBe(BEAT)
      expect(await next()).toBe('event: tick\nid: 1\ndata: {"n":1}\n\n')
      expect(await next()).toBe('data: a\ndata: b\n\n')
      expect(await next()).toBe(': c\n\n')
      expect(await next()).toBeUndefined()
    }
  })

  it('asks the source for an event only when the client takes one', async () => {
    let given = 0
    const source = {
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ done: false as const, value: `${given++}` }),
      }),
    }
    const { next } = send(source)
    await next()
    await loopTurns(2)
    expect(given).toBe(0)
    expect(await next()).toBe('data: 0\n\n')
    await loopTurns(2)
    expect(given).toBe(1)
  })

  it('fails with what the source fails with, a bad event included', async () => {
    const failing = send(
      (async function* (): AsyncGenerator<string> {
        yield 'a'
        throw new Error('source')
      })(),
    )
    await failing.next()
    expect(await failing.next()).toBe('data: a\n\n')
    expect(await rejection(failing.next())).toMatchObject({ message: 'source' })
    expect(await failing.next()).toBeUndefined()
    const bad = send([{ id: 'a\nb' }])
    await bad.next()
    expect(await rejection(bad.next())).toBeInstanceOf(TypeError)
  })

  it('sends a comment when nothing else was sent for a while', async () => {
    const clock = new FakeClock()
    const made = sender()
    const { next } = send(made.produce, { heartbeatMs: 1000, clock })
    await next()
    const first = watch(next())
    await clock.advance(999)
    expect(first.state).toBe('pending')
    await clock.advance(1)
    expect(first.value).toBe(BEAT)
    const second = watch(next())
    await clock.advance(500)
    made.send('x')
    await loopTurns(1)
    expect(second.value).toBe('data: x\n\n')
    expect(clock.pendingTimers).toBe(0)
    const third = watch(next())
    await clock.advance(999)
    expect(third.state).toBe('pending')
    await clock.advance(1)
    expect(third.value).toBe(BEAT)
  })

  it('loses no event and no error that comes between two calls, behind a heartbeat', async () => {
    const clock = new FakeClock()
    const steps: ((result: IteratorResult<string>) => void)[] = []
    const fails: ((error: unknown) => void)[] = []
    const source = {
      [Symbol.asyncIterator]: () => ({
        next: () =>
          new Promise<IteratorResult<string>>((resolve, reject) => {
            steps.push(resolve)
            fails.push(reject)
          }),
      }),
    }
    const { next } = send(source, { heartbeatMs: 10, clock })
    await next()
    const beat = watch(next())
    await clock.advance(10)
    expect(beat.value).toBe(BEAT)
    steps[0]?.({ done: false, value: 'late' })
    await loopTurns(1)
    expect(await next()).toBe('data: late\n\n')
    const again = watch(next())
    await clock.advance(10)
    expect(again.value).toBe(BEAT)
    fails[1]?.(new Error('late'))
    await loopTurns(1)
    expect(await rejection(next())).toMatchObject({ message: 'late' })
    expect(steps).toHaveLength(2)
  })

  it('without heartbeats sets no timer', async () => {
    const clock = new FakeClock()
    const { next, body } = send(sender().produce, { heartbeatMs: Infinity, clock })
    await next()
    const waiting = watch(next())
    expect(clock.pendingTimers).toBe(0)
    await body.return?.()
    await loopTurns(1)
    expect(waiting).toMatchObject({ state: 'resolved', value: undefined })
  })

  it('leaves the source at once when the client leaves, also while both wait', async () => {
    const clock = new FakeClock()
    const news = new Broadcaster<ServerSentEvent>()
    const { next, body } = send(news.subscribe(), { clock })
    await next()
    const waiting = watch(next())
    await loopTurns(1)
    expect(news.subscribers).toBe(1)
    expect(await body.return?.()).toEqual({ done: true, value: undefined })
    await loopTurns(1)
    expect(waiting).toMatchObject({ state: 'resolved', value: undefined })
    expect(news.subscribers).toBe(0)
    expect(clock.pendingTimers).toBe(0)
    expect(await next()).toBeUndefined()
    await body.return?.()
  })

  it('ends cleanly when the server begins to stop', async () => {
    const news = new Broadcaster<ServerSentEvent>()
    const { next, drain, draining } = send(news.subscribe())
    await next()
    const waiting = watch(next())
    drain()
    await loopTurns(1)
    expect(waiting).toMatchObject({ state: 'resolved', value: undefined })
    expect(news.subscribers).toBe(0)
    expect(getEventListeners(draining, 'abort')).toHaveLength(0)
    const late = send(sender().produce)
    late.drain()
    expect(await late.next()).toBeUndefined()
  })

  it('leaves no listener behind, by whatever end', async () => {
    const ended = send(['a'])
    while ((await ended.next()) !== undefined);
    const failed = send([{ id: '\n' }])
    await failed.next()
    expect(getEventListeners(failed.draining, 'abort')).toHaveLength(1)
    await rejection(failed.next())
    const left = send(sender().produce)
    await left.next()
    await left.body.return?.()
    for (const { draining } of [ended, failed, left]) {
      expect(getEventListeners(draining, 'abort')).toHaveLength(0)
    }
  })

  it('does not wait for the end of a source that is busy, nor mind how it fails', async () => {
    let isLeft = false
    const source = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise<never>(() => {}),
        return: () => {
          isLeft = true
          return Promise.reject(new Error('in vain'))
        },
      }),
    }
    const { next, body } = send(source)
    await next()
    const waiting = watch(next())
    await body.return?.()
    await loopTurns(2)
    expect({ isLeft, state: waiting.state }).toEqual({ isLeft: true, state: 'resolved' })
  })

  it.each([
    [{ heartbeatMs: 0 }, 'heartbeatMs must be a number of milliseconds above 0, not 0'],
    [{ retryMs: -1 }, 'retry must be a whole number of milliseconds'],
    [{ capacity: 0 }, 'capacity must be a whole number above 0, not 0'],
    [{ onOverflow: 'wait' as never }, "not 'wait'"],
  ])('refuses %o', (options, words) => {
    expect(() => send(sender().produce, options)).toThrow(RangeError)
    expect(() => send(sender().produce, options)).toThrow(words)
  })
})

describe('sse() of a function', () => {
  it('calls it when the first event is asked for, so that HEAD never does', async () => {
    const made = sender()
    const { next, body } = send(made.produce)
    await next()
    expect(made.isStarted).toBe(false)
    const waiting = watch(next())
    await loopTurns(1)
    expect(made.isStarted).toBe(true)
    await body.return?.()
    await loopTurns(1)
    expect(waiting.state).toBe('resolved')
    const unasked = sender()
    const other = send(unasked.produce)
    await other.body.return?.()
    await other.next()
    expect(unasked.isStarted).toBe(false)
  })

  it('sends what it sends, in order, until it is closed', async () => {
    const made = sender()
    const { next } = send(made.produce)
    await next()
    const first = next()
    expect(made.send({ data: 1 })).toBe(true)
    expect(made.send('2')).toBe(true)
    expect(made.send(encodeEvent('3'))).toBe(true)
    made.channel.close()
    expect(made.channel.signal.aborted).toBe(true)
    expect(made.send('4')).toBe(false)
    expect([await first, await next(), await next(), await next()]).toEqual([
      'data: 1\n\n',
      'data: 2\n\n',
      'data: 3\n\n',
      undefined,
    ])
  })

  it('ends with its promise', async () => {
    const { next } = send(async (push) => {
      push('a')
      await Promise.resolve()
      push('b')
    })
    expect([await next(), await next(), await next(), await next()]).toEqual([
      BEAT,
      'data: a\n\n',
      'data: b\n\n',
      undefined,
    ])
  })

  it('fails with what it throws, now or later, after what it has sent', async () => {
    const now = send((push) => {
      push('a')
      throw new Error('now')
    })
    const later = send(async (push) => {
      push('a')
      await Promise.resolve()
      throw new Error('later')
    })
    for (const [{ next }, message] of [
      [now, 'now'],
      [later, 'later'],
    ] as const) {
      await next()
      expect(await next()).toBe('data: a\n\n')
      expect(await rejection(next())).toMatchObject({ message })
    }
  })

  it('throws at once what is wrong with an event', async () => {
    const made = sender()
    const { next } = send(made.produce)
    await next()
    void next()
    expect(() => made.send({ event: 'a\nb' })).toThrow(TypeError)
    expect(made.send('fine')).toBe(true)
  })

  it('is told when the client leaves, and then sends to nobody', async () => {
    const made = sender()
    const { next, body } = send(made.produce)
    await next()
    void next()
    expect(made.channel.signal.aborted).toBe(false)
    await body.return?.()
    expect(made.channel.signal.aborted).toBe(true)
    expect(made.channel.signal.reason).toMatchObject({ code: 'ERR_STANDPIPE_CLOSED' })
    expect(made.send('x')).toBe(false)
  })

  it('is given the id of the last event that the client had', async () => {
    const made = sender()
    const { next } = send(
      made.produce,
      {},
      { 'last-event-id': Buffer.from('ä7').toString('latin1') },
    )
    await next()
    void next()
    expect(made.channel.lastEventId).toBe('ä7')
    expect(lastEventIdOf(fakeRequest('/'))).toBeUndefined()
  })

  it('cuts a client that does not keep up, and nobody else', async () => {
    const [stuck, quick] = [sender(), sender()]
    const one = send(stuck.produce, { capacity: 2 })
    const other = send(quick.produce, { capacity: 2 })
    for (const { next } of [one, other]) await next()
    void one.next()
    for (const text of ['1', '2', '3']) {
      const read = other.next()
      expect(stuck.send(text)).toBe(true)
      expect(quick.send(text)).toBe(true)
      expect(await read).toBe(`data: ${text}\n\n`)
    }
    expect(one.cuts).toEqual([])
    expect(stuck.send('4')).toBe(false)
    expect(one.cuts).toEqual([expect.objectContaining({ code: 'ERR_STANDPIPE_SLOW_CONSUMER' })])
    expect(stuck.channel.signal.reason).toBe(one.cuts[0])
    expect(stuck.send('5')).toBe(false)
    expect(quick.send('4')).toBe(true)
    expect(other.cuts).toEqual([])
    expect(stuck.channel.dropped).toBe(1)
  })

  it('drops the oldest or the newest instead where it is told to', async () => {
    for (const [onOverflow, kept] of [
      ['drop-oldest', '3'],
      ['drop-newest', '2'],
    ] as const) {
      const made = sender()
      const { next, cuts } = send(made.produce, { capacity: 1, onOverflow })
      await next()
      const first = next()
      for (const text of ['1', '2', '3']) made.send(text)
      made.channel.close()
      expect([await first, await next(), await next()]).toEqual([
        'data: 1\n\n',
        `data: ${kept}\n\n`,
        undefined,
      ])
      expect(made.channel.dropped).toBe(1)
      expect(cuts).toEqual([])
    }
  })

  it('leaves nothing behind on its signal', async () => {
    const made = sender()
    const { next, body } = send(made.produce)
    await next()
    void next()
    await body.return?.()
    expect(getEventListeners(made.channel.signal, 'abort')).toHaveLength(0)
  })
})
