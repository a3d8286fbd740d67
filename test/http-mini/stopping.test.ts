/** What the stop of a server means for a connection of HTTP: what has come is answered to its end, and nothing else begun. */
import { describe, expect, test } from 'vitest'
import type { HttpHandler } from '../../src/http-mini/index.js'
import { cutInput } from '../../src/server/last-arrivals.js'
import { loopTurns } from '../../src/testing/fake-clock.js'
import { bodyOf, HttpInMemory, request, statusOf } from '../support/http-in-memory.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'

guardAgainstLeaks()

/** Arbitrary: the cut waits for a turn that brings nothing. */
const CUT_TURNS = 10

/** The part of a stop that a connection sees. */
async function stop({ pair }: HttpInMemory): Promise<void> {
  pair.server.beginDraining()
  void cutInput(pair.server)
  await loopTurns(CUT_TURNS)
}

const echo: HttpHandler = async (one) => {
  const text = await one.text()
  return { text, trailers: [...(one.trailers ?? [])] }
}

const plain = request('POST /', { body: 'hello' })
const chunked =
  'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nX-A: b\r\n\r\n'

describe('A stop', () => {
  test.each([
    ['a plain body', plain, []],
    ['a chunked body', chunked, [['x-a', 'b']]],
  ])('lets %s come to its end, wherever it is', async (_name, bytes, trailers) => {
    const bodyStart = bytes.indexOf('\r\n\r\n') + 4
    for (let at = bodyStart; at < bytes.length; at++) {
      await using http = new HttpInMemory(echo)
      expect(await http.send(bytes.slice(0, at))).toBe('')
      await stop(http)
      const answer = await http.send(bytes.slice(at))
      expect(JSON.parse(bodyOf(answer))).toEqual({ text: 'hello', trailers })
      expect(answer).toContain('\r\nConnection: close\r\n')
      expect(http.hasEnded).toBe(true)
    }
  })

  test('lets a body that nobody reads come to its end, and answers nothing behind it', async () => {
    await using http = new HttpInMemory(({ path }) => path)
    expect(bodyOf(await http.send(plain.slice(0, -2)))).toBe('/')
    await stop(http)
    expect(await http.send(`lo${request('GET /next')}`)).toBe('')
    expect(http.hasEnded).toBe(true)
  })

  test('answers all that has come, and says so with the last', async () => {
    await using http = new HttpInMemory(async ({ path }) => {
      await loopTurns(CUT_TURNS * 2)
      return path
    })
    const sent = http.send(['/a', '/b', '/c'].map((path) => request(`GET ${path}`)).join(''))
    await loopTurns(3)
    await stop(http)
    await sent
    await loopTurns(CUT_TURNS * 8)
    expect(http.received.match(/\r\n\r\n\/[abc]/g)).toEqual([
      '\r\n\r\n/a',
      '\r\n\r\n/b',
      '\r\n\r\n/c',
    ])
    expect(http.received.match(/Connection: close/g)).toHaveLength(1)
    expect(http.received.indexOf('Connection')).toBeGreaterThan(http.received.indexOf('/b'))
  })

  test('refuses what is no request behind one that is, in its turn', async () => {
    await using http = new HttpInMemory(async ({ path }) => {
      await loopTurns(CUT_TURNS * 2)
      return path
    })
    const sent = http.send(`${request('GET /a')}junk\r\n\r\n`)
    await loopTurns(3)
    await stop(http)
    await sent
    await loopTurns(CUT_TURNS * 4)
    expect(http.received.match(/HTTP\/1\.1 \d{3}/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 400'])
    expect(http.hasEnded).toBe(true)
  })

  test('drops a head that has begun, and ends who waits for a next request', async () => {
    for (const begun of ['', 'GET / HTTP/1.1\r\nHo', '\r\n']) {
      await using http = new HttpInMemory(() => 'here')
      expect(statusOf(await http.send(request('GET /')))).toBe(200)
      expect(await http.send(begun)).toBe('')
      await stop(http)
      expect(await http.send('st: a\r\n\r\n')).toBe('')
      expect(http.hasEnded).toBe(true)
    }
  })

  test('leaves a connection that was taken over to whom it was given', async () => {
    await using http = new HttpInMemory(async (one) => {
      const { reader, writer } = one.upgrade()
      for await (const line of reader.lines()) writer.write(`${line}!\n`)
      writer.write('the last\n')
      return null
    })
    const fields = ['Connection: upgrade', 'Upgrade: lines']
    expect(await http.send(`${request('GET /', { fields })}one\ntw`)).toContain('one!\n')
    await stop(http)
    expect(http.received.endsWith('one!\nthe last\n')).toBe(true)
    expect(http.hasEnded).toBe(true)
  })
})
