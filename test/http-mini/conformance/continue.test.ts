/** When a client is told to continue: RFC 9110 10.1.1 and 15.2. */
import { describe, expect, test } from 'vitest'
import { parseReplies } from '../../support/http-replies.js'
import { guardAgainstLeaks } from '../../support/leak-guard.js'
import { exchange } from './exchange.js'
import { get, head, post } from './http-case.js'
import { describeSeen } from './probe.js'

guardAgainstLeaks()

const HEAD = post('Expect: 100-continue', 'Content-Length: 5')

/** The statuses in the order in which they came, and what the application saw. A number is a pause. */
async function statuses(
  ...steps: readonly (string | number)[]
): Promise<{ sent: number[]; seen: string[]; left: string }> {
  const { bytes, seen, left } = await exchange(
    steps.map((step) => (typeof step === 'string' ? Buffer.from(step, 'latin1') : step)),
  )
  const { replies, interim, rest } = parseReplies(bytes, seen, left !== 'open')
  expect(rest.toString('latin1')).toBe('')
  const sent = [...replies.flatMap((reply) => [...reply.interim, reply.status]), ...interim]
  return { sent, seen: seen.map(describeSeen), left }
}

describe('Expect: 100-continue', () => {
  test('is answered with 100 when the body is read and nothing of it is there', async () => {
    expect(await statuses(HEAD)).toEqual({ sent: [100], seen: ['POST / …'], left: 'open' })
  })

  test('is answered with 100, and then with the answer to the body', async () => {
    const expected = { sent: [100, 200], seen: ['POST / hello'], left: 'open' }
    expect(await statuses(HEAD, 'hello')).toEqual(expected)
    expect(await statuses(HEAD, 'h', 'e', 'l', 'l', 'o')).toEqual(expected)
  })

  test('is answered with 100 in front of a chunked body', async () => {
    const chunkedHead = post('Expect: 100-continue', 'Transfer-Encoding: chunked')
    expect(await statuses(chunkedHead, '5\r\nhello\r\n0\r\n\r\n')).toEqual({
      sent: [100, 200],
      seen: ['POST / hello'],
      left: 'open',
    })
  })

  test('is not answered with 100 when the body came along, in part or whole', async () => {
    const expected = { sent: [200], seen: ['POST / hello'], left: 'open' }
    expect(await statuses(`${HEAD}hello`)).toEqual(expected)
    expect(await statuses(`${HEAD}he`, 'llo')).toEqual(expected)
  })

  test('is not answered with 100 when the body is not read, and the connection ends', async () => {
    const unread = head(
      'POST /unread HTTP/1.1',
      'Host: a',
      'Expect: 100-continue',
      'Content-Length: 5',
    )
    expect(await statuses(unread)).toEqual({ sent: [200], seen: ['POST /unread'], left: 'closed' })
  })

  test('is not answered with 100 when there is no body', async () => {
    expect(await statuses(post('Expect: 100-continue', 'Content-Length: 0'))).toMatchObject({
      sent: [200],
    })
    expect(await statuses(get('Expect: 100-continue'))).toMatchObject({ sent: [200] })
  })

  test('is not answered with 100 in HTTP/1.0', async () => {
    const old = head('POST / HTTP/1.0', 'Expect: 100-continue', 'Content-Length: 5')
    expect(await statuses(old, 'hello')).toEqual({
      sent: [200],
      seen: ['POST / hello'],
      left: 'closed',
    })
  })

  test('is not answered with 100 but with 413 when the body would be too long', async () => {
    const long = post('Expect: 100-continue', 'Content-Length: 10000000')
    expect(await statuses(long)).toMatchObject({ sent: [413], left: 'closed' })
  })

  test('is answered with 100 behind the answers to earlier requests', async () => {
    const slow = head('GET /slow HTTP/1.1', 'Host: a')
    expect(await statuses(`${slow}${HEAD}`, 10, 'hello')).toEqual({
      sent: [200, 100, 200],
      seen: ['GET /slow', 'POST / hello'],
      left: 'open',
    })
  })
})
