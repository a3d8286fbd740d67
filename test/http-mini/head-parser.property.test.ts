/** The parser of heads by itself: bytes in, heads out, without a server. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HeadParser } from '../../src/http-mini/head-parser.js'
import { HttpError } from '../../src/http-mini/http-error.js'
import { resolveHttpLimits, type HttpLimits } from '../../src/http-mini/http-limits.js'
import type { RequestHead } from '../../src/http-mini/request-head.js'
import { StreamReader } from '../../src/protocol/stream-reader.js'
import { cut, cuts } from '../support/bytes.js'
import { mutated } from '../support/http-requests.js'
import { thrownBy } from '../support/thrown-by.js'
import { FlatSource } from '../support/reader-model.js'

/** All that a head says, as plain values. */
function contentsOf(head: RequestHead): object {
  const { method, minor, target, path, queryString, host, bodyLength, persists } = head
  const { expectsContinue } = head
  const fields = [...head.headers]
  return {
    method,
    minor,
    target,
    path,
    queryString,
    host,
    bodyLength,
    persists,
    expectsContinue,
    fields,
  }
}

/** What the parser makes of pieces that come one after the other: heads, and the refusal if there is one. */
function headsIn(pieces: readonly Buffer[], limits: HttpLimits = {}): object[] {
  const reader = new StreamReader()
  const parser = new HeadParser(resolveHttpLimits(limits))
  const found: object[] = []
  for (const piece of pieces) {
    reader.feedData(Buffer.from(piece))
    try {
      for (;;) {
        const head = reader.tryReadFrame(parser)
        if (head == null) break
        found.push(contentsOf(head))
      }
    } catch (error) {
      if (!(error instanceof HttpError)) throw error
      // It stays what it is: no request is found behind it.
      const again = thrownBy(() => reader.tryReadFrame(parser))
      if (String(again) !== String(error)) throw again
      return [...found, { status: error.status, message: error.message }]
    }
  }
  return [...found, { hasBegun: parser.hasBegun, waiting: reader.bufferedBytes }]
}

const small = fc.record({
  headBytes: fc.constantFrom(undefined, 40, 100, 200),
  targetBytes: fc.constantFrom(undefined, 5, 20),
  fields: fc.constantFrom(undefined, 1, 3),
})

describe('HeadParser', () => {
  test('makes the same of bytes however they are cut, under any limits', () => {
    fc.assert(
      fc.property(mutated, cuts(), small, (text, sizes, limits) => {
        const bytes = Buffer.from(text, 'latin1')
        expect(headsIn(cut(bytes, sizes), limits)).toEqual(headsIn([bytes], limits))
      }),
      { numRuns: 1000 },
    )
  })

  test('makes the same of bytes that come one by one', () => {
    fc.assert(
      fc.property(mutated, small, (text, limits) => {
        const bytes = Buffer.from(text.slice(0, 2000), 'latin1')
        expect(headsIn(cut(bytes, [1]), limits)).toEqual(headsIn([bytes], limits))
      }),
      { numRuns: 300 },
    )
  })

  test('refuses at the first octet that is wrong, and waits at every one before', () => {
    fc.assert(
      fc.property(mutated, (text) => {
        const bytes = Buffer.from(text.slice(0, 600), 'latin1')
        const whole = headsIn([bytes])
        const refusal = whole.at(-1) as { status?: number }
        fc.pre(refusal.status !== undefined)
        // From the first prefix on that is refused all are, for the same reason.
        const prefixes = Array.from(bytes, (_, at) => headsIn([bytes.subarray(0, at + 1)]).at(-1))
        const first = prefixes.findIndex(
          (last) => (last as { status?: number }).status !== undefined,
        )
        expect(new Set(prefixes.slice(first).map((last) => JSON.stringify(last)))).toEqual(
          new Set([JSON.stringify(refusal)]),
        )
      }),
      { numRuns: 50 },
    )
  })

  test('keeps what it gave apart from what comes next', () => {
    const reader = new StreamReader()
    const parser = new HeadParser(resolveHttpLimits())
    reader.feedData(
      Buffer.from('GET /a?b HTTP/1.1\r\nHost: one\r\nX: 1\r\n\r\nPOST /c HTTP/1.0\r\n\r\nrest'),
    )
    const first = reader.tryReadFrame(parser) as RequestHead
    const second = reader.tryReadFrame(parser) as RequestHead
    expect(contentsOf(first)).toMatchObject({
      method: 'GET',
      path: '/a',
      queryString: 'b',
      host: 'one',
    })
    expect(contentsOf(second)).toMatchObject({
      method: 'POST',
      target: '/c',
      host: undefined,
      minor: 0,
    })
    expect(first.headers.get('x')).toBe('1')
    expect(reader.bufferedBytes).toBe(4)
  })

  test('looks at each octet a few times at most, however a head drips in', () => {
    const fields = Array.from({ length: 30 }, (_, i) => `X-Field-${i}: ${'v'.repeat(i * 3)}\r\n`)
    const long = `X-Long: ${'w'.repeat(2000)}\r\n`
    const text = `GET /${'p'.repeat(500)} HTTP/1.1\r\nHost: a\r\n${fields.join('')}${long}\r\n`
    const counted = new CountedSource(Buffer.from(text))
    const parser = new HeadParser(resolveHttpLimits())
    let head: RequestHead | undefined
    while (head === undefined) {
      counted.arrive(1)
      head = parser.decode(counted)
    }
    expect(head.headers.size).toBe(32)
    expect(counted.looks).toBeLessThan(8 * text.length)
  })

  test('writes nothing', () => {
    expect(() => new HeadParser(resolveHttpLimits()).encode()).toThrow(TypeError)
  })
})

/** A source whose bytes come when they are told to, and which counts how often one is looked at. */
class CountedSource extends FlatSource {
  looks = 0
  readonly #all: Buffer
  #arrived = 0

  constructor(all: Buffer) {
    super(Buffer.alloc(0))
    this.#all = all
  }

  arrive(count: number): void {
    this.#arrived += count
    this.rest = this.#all.subarray(0, this.#arrived)
  }

  override byteAt(index: number): number {
    this.looks++
    return super.byteAt(index)
  }

  override get front(): Buffer {
    return new Proxy(this.rest, {
      get: (bytes, key) => {
        if (typeof key === 'string' && /^\d+$/.test(key)) this.looks++
        const value: unknown = Reflect.get(bytes, key, bytes)
        return typeof value === 'function' ? (value as () => unknown).bind(bytes) : value
      },
    })
  }
}
