/** How long a client may take for what: docs/limits.md. None of it is extended by octets that drip. */
import { describe, expect, test } from 'vitest'
import { fieldOf, parseReplies } from '../../support/http-replies.js'
import { guardAgainstLeaks } from '../../support/leak-guard.js'
import { exchange } from './exchange.js'
import { get, post } from './http-case.js'

guardAgainstLeaks()

interface Came {
  readonly statuses: number[]
  readonly left: string
  readonly connection?: string | undefined
}

async function came(...steps: readonly (string | number)[]): Promise<Came> {
  const pieces = steps.map((step) =>
    typeof step === 'string' ? Buffer.from(step, 'latin1') : step,
  )
  const { bytes, seen, left } = await exchange(pieces)
  const { replies } = parseReplies(bytes, seen, left !== 'open')
  const last = replies.at(-1)
  return {
    statuses: replies.map(({ status }) => status),
    left,
    ...(last === undefined ? {} : { connection: fieldOf(last, 'connection') }),
  }
}

/** The text octet by octet, with a pause behind each, and no more of it than fits into so much time. */
function dripped(text: string, pauseMs: number, forMs: number): (string | number)[] {
  return Array.from(text.slice(0, Math.floor(forMs / pauseMs))).flatMap((octet) => [octet, pauseMs])
}

const LONG_HEAD = get(`X-Slow: ${'x'.repeat(1000)}`)
const TIMED_OUT: Came = { statuses: [408], left: 'closed', connection: 'close' }

describe('A head', () => {
  test('may drip for less than 10 s', async () => {
    expect(await came(...dripped(LONG_HEAD, 100, 9800))).toEqual({ statuses: [], left: 'open' })
  })

  test('that drips is refused 10 s after its first octet', async () => {
    expect(await came(...dripped(LONG_HEAD, 100, 10_400))).toEqual(TIMED_OUT)
  })

  test('that comes in two halves 9 s apart is answered', async () => {
    const request = get()
    expect(await came(request.slice(0, 20), 9000, request.slice(20))).toMatchObject({
      statuses: [200],
      left: 'open',
    })
  })

  test('has its 10 s anew behind each request', async () => {
    const request = get()
    const half = [request.slice(0, 20), 9000, request.slice(20)]
    expect(await came(...half, ...half, ...half)).toMatchObject({
      statuses: [200, 200, 200],
      left: 'open',
    })
  })

  test('that drips behind a good request is refused after its answer', async () => {
    expect(await came(get(), ...dripped(LONG_HEAD, 100, 10_400))).toMatchObject({
      statuses: [200, 408],
      left: 'closed',
    })
  })
})

describe('A connection that is kept', () => {
  test('is ended without a word after 5 s of silence', async () => {
    expect(await came(get(), 4800)).toMatchObject({ statuses: [200], left: 'open' })
    expect(await came(get(), 5300)).toMatchObject({ statuses: [200], left: 'closed' })
  })

  test('is asked again within its 5 s, as often as one likes', async () => {
    const again = Array.from({ length: 20 }, () => [get(), 4800]).flat()
    expect(await came(...again)).toMatchObject({ statuses: Array(20).fill(200), left: 'open' })
  })
})

describe('A body', () => {
  const slow = post('Content-Length: 1000000')
  const second = (bytes: number): (string | number)[] => ['x'.repeat(bytes), 1000]

  test('that drips is refused after 30 s', async () => {
    const drip = Array.from({ length: 29 }, () => second(1)).flat()
    expect(await came(slow, ...drip)).toMatchObject({ statuses: [], left: 'open' })
    expect(await came(slow, ...drip, 2000)).toEqual(TIMED_OUT)
  })

  test('that comes with 20 KB a second is read to its end, however long that takes', async () => {
    const steps = Array.from({ length: 50 }, () => second(20_000)).flat()
    expect(await came(slow, ...steps)).toMatchObject({ statuses: [200] })
  })

  test('that comes with 10 KB a second is refused when its 30 s are used up', async () => {
    const steps = Array.from({ length: 95 }, () => second(10_000)).flat()
    expect(await came(slow, ...steps)).toEqual(TIMED_OUT)
  })

  test('that comes in chunks has the same time', async () => {
    const chunked = post('Transfer-Encoding: chunked')
    const drip = Array.from({ length: 32 }, () => ['1\r\nx\r\n', 1000]).flat()
    expect(await came(chunked, ...drip)).toEqual(TIMED_OUT)
  })
})

test('A connection that says nothing is ended as soon as one that sends no head', async () => {
  expect(await came(9_000)).toEqual({ statuses: [], left: 'open' })
  expect(await came(11_000)).toMatchObject({ left: 'closed' })
})
