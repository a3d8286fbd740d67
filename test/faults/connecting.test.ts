/** Connecting that comes to nothing: it says why in a typed error, at its deadline at the latest, and leaves nothing. */
import { getEventListeners } from 'node:events'
import type net from 'node:net'
import { expect } from 'vitest'
import { deferred } from '../../src/concurrency/deferred.js'
import { openConnection } from '../../src/client/open-connection.js'
import { LineClient } from '../../src/client/line-client.js'
import { ConnectError, LookupError, TimeoutError } from '../../src/errors.js'
import { eventually } from '../support/eventually.js'
import { fault } from '../support/fault.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { closedPort, fullPort } from '../support/ports.js'
import { portOf } from '../support/serve.js'
import { rejection, watch } from '../support/settled.js'

guardAgainstLeaks()

const CONNECT_MS = 300

fault(
  'F33',
  'connecting to a host that does not answer rejects at the deadline, with the addresses that were tried',
  async ({ figure }) => {
    const port = await fullPort()
    const lookup: net.LookupFunction = (_host, _options, callback) => {
      callback(null, [
        { address: '127.0.0.1', family: 4 },
        { address: '127.0.0.2', family: 4 },
      ])
    }
    const from = performance.now()
    const error = await rejection(
      openConnection({ host: 'deaf.test', port, lookup, deadlines: { connectMs: CONNECT_MS } }),
    )
    const tookMs = performance.now() - from
    // The second refuses as soon as its turn has come, and the first goes on being waited for.
    expect(error).toBeInstanceOf(TimeoutError)
    expect(error).toMatchObject({ phase: 'connect', timeoutMs: CONNECT_MS })
    expect((error as Error).message).toContain(`127.0.0.1:${port}`)
    expect((error as Error).message).toContain(`127.0.0.2:${port}`)
    expect(tookMs).toBeGreaterThanOrEqual(CONNECT_MS - 1)
    expect(tookMs).toBeLessThanOrEqual(CONNECT_MS + 250)
    figure('rejected at a deadline of 300 ms after', tookMs, 'ms')
  },
)

fault(
  'F34',
  'connecting where nobody listens rejects with a ConnectError that may be retried',
  async ({ figure }) => {
    const port = await closedPort()
    const from = performance.now()
    const { signal } = new AbortController()
    const error = await rejection(openConnection({ port, signal }))
    expect(getEventListeners(signal, 'abort')).toEqual([])
    figure('rejected after', performance.now() - from, 'ms')
    expect(error).toBeInstanceOf(ConnectError)
    expect(error).toMatchObject({
      code: 'ERR_STANDPIPE_CONNECT',
      retryable: true,
      attempts: [{ address: `127.0.0.1:${port}`, code: 'ECONNREFUSED' }],
    })
    expect(await rejection(LineClient.open({ port }))).toBeInstanceOf(ConnectError)
  },
)

fault(
  'F35',
  'connecting to a name that does not exist rejects with a LookupError that has the name',
  async ({ figure }) => {
    const from = performance.now()
    const error = await rejection(openConnection({ host: 'no-such-host.invalid', port: 1 }))
    figure('rejected after', performance.now() - from, 'ms')
    expect(error).toBeInstanceOf(LookupError)
    expect(error).toMatchObject({ code: 'ERR_STANDPIPE_LOOKUP', host: 'no-such-host.invalid' })
  },
)

const enough = new Error('enough')

fault(
  'F36',
  'an abort before connecting rejects with the reason, and nothing was looked up',
  async () => {
    let lookUps = 0
    const lookup: net.LookupFunction = () => void lookUps++
    const signal = AbortSignal.abort(enough)
    expect(await rejection(openConnection({ host: 'x.test', port: 1, lookup, signal }))).toBe(
      enough,
    )
    expect(lookUps).toBe(0)
    expect(getEventListeners(signal, 'abort')).toEqual([])
  },
)

fault(
  'F36',
  'an abort during the look-up rejects with the reason, and the late answer opens nothing',
  async ({ serve }) => {
    const server = await serve(async ({ reader }) => await reader.readAll())
    let answer = (): void => {}
    const lookup: net.LookupFunction = (_host, _options, callback) => {
      answer = () => callback(null, [{ address: '127.0.0.1', family: 4 }])
    }
    const giveUp = new AbortController()
    const { signal } = giveUp
    const dialling = watch(
      openConnection({ host: 'x.test', port: portOf(server.address), lookup, signal }),
    )
    giveUp.abort(enough)
    expect(await rejection(dialling.promise)).toBe(enough)
    answer()
    const proof = await openConnection({ port: portOf(server.address) })
    await proof.close()
    await eventually(() => server.stats.open === 0)
    expect(server.stats.accepted).toBe(1)
    expect(getEventListeners(signal, 'abort')).toEqual([])
  },
)

fault(
  'F36',
  'an abort while it connects rejects with the reason, and no socket is left',
  async () => {
    const port = await fullPort()
    const giveUp = new AbortController()
    const dialling = watch(openConnection({ port, signal: giveUp.signal }))
    await eventually(() => process.getActiveResourcesInfo().includes('ConnectWrap'))
    giveUp.abort(enough)
    expect(await rejection(dialling.promise)).toBe(enough)
    expect(getEventListeners(giveUp.signal, 'abort')).toEqual([])
    await eventually(() => !process.getActiveResourcesInfo().includes('ConnectWrap'))
  },
)

fault('F36', 'an abort once it is connected has no effect on the connection', async ({ serve }) => {
  const server = await serve(async ({ reader }) => await reader.readAll())
  const giveUp = new AbortController()
  const connection = await openConnection({ port: portOf(server.address), signal: giveUp.signal })
  // Before the abort: one that has fired is gone by itself.
  expect(getEventListeners(giveUp.signal, 'abort')).toEqual([])
  giveUp.abort(enough)
  expect(connection.state).toBe('open')
  connection.writer.write('x')
  await connection.close()
  expect(getEventListeners(giveUp.signal, 'abort')).toEqual([])
  await eventually(() => server.stats.bytesRead === 1)
})

fault(
  'F36',
  'an abort ends the wait of a request, and the reply that comes late goes to nobody',
  async ({ serve }) => {
    const mayReply = deferred()
    const server = await serve(async ({ reader, writer }) => {
      await reader.readLine()
      await mayReply.promise
      writer.write('late\n')
      for await (const line of reader.lines()) writer.write(`${line}\n`)
    })
    const client = await LineClient.open({ port: portOf(server.address) })
    const giveUp = new AbortController()
    const first = watch(client.request('first', { signal: giveUp.signal }))
    await eventually(() => server.stats.open === 1 && [...server.connections][0]?.bytesRead === 6)
    giveUp.abort(enough)
    expect(await rejection(first.promise)).toBe(enough)
    const second = client.request('second')
    await eventually(() => [...server.connections][0]?.bytesRead === 13)
    mayReply.resolve()
    expect(await second).toBe('second')
    await client.close()
    expect(getEventListeners(giveUp.signal, 'abort')).toEqual([])
  },
)

const nonsense: readonly (readonly [what: string, found: unknown])[] = [
  ['nothing', undefined],
  ['null', null],
  ['a number', 4],
  ['an object', {}],
  ['a list of nothing', [undefined, null]],
  ['a list of words', ['127.0.0.1', 'localhost']],
  ['addresses that are numbers', [{ address: 2130706433, family: 4 }]],
  ['a list that throws', new Proxy([], { get: unreadable })],
]
function unreadable(): never {
  throw new Error('do not look at me')
}
for (const [what, found] of nonsense) {
  for (const isLate of [false, true]) {
    fault(
      'F86',
      `a look-up of one's own that gives ${what}, ${isLate ? 'later' : 'at once'}, is a LookupError with the name`,
      async () => {
        const lookup: net.LookupFunction = (_host, _options, callback) => {
          const answer = (): void => callback(null, found as string)
          if (isLate) setImmediate(answer)
          else answer()
        }
        const error = await rejection(openConnection({ host: 'odd.test', port: 1, lookup }))
        expect(error).toBeInstanceOf(LookupError)
        expect(error).toMatchObject({ host: 'odd.test' })
      },
    )
  }
}

fault('F86', 'an error of a look-up that cannot be looked at is its LookupError', async () => {
  for (const fails of [true, false]) {
    const lookup: net.LookupFunction = (_host, _options, callback) => {
      const odd = new Proxy(new Error('odd'), { get: unreadable, getPrototypeOf: unreadable })
      if (fails) throw odd
      callback(odd, '')
    }
    const error = await rejection(openConnection({ host: 'odd.test', port: 1, lookup }))
    expect(error).toBeInstanceOf(LookupError)
  }
})
