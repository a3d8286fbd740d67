/** The reader of chunks by itself: bytes in, data and trailers out, beside a slow and obvious model of the coding. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ChunkDecoder } from '../../src/http-mini/chunk-decoder.js'
import { HttpError } from '../../src/http-mini/http-error.js'
import { resolveHttpLimits } from '../../src/http-mini/http-limits.js'
import { StreamReader } from '../../src/protocol/stream-reader.js'
import { cut, cuts } from '../support/bytes.js'

interface Decoded {
  readonly data: string
  /** Undefined until the end has come. */
  readonly trailers?: [string, string][]
  readonly status?: number
  /** What is behind the body. */
  readonly rest: string
}

function decode(pieces: readonly Buffer[], maxPieceBytes = Infinity, bodyBytes = 1000): Decoded {
  const reader = new StreamReader()
  const decoder = new ChunkDecoder(resolveHttpLimits({ bodyBytes }))
  decoder.maxPieceBytes = maxPieceBytes
  let data = ''
  const sizes: number[] = []
  let trailers: [string, string][] | undefined
  for (const piece of pieces) {
    reader.feedData(Buffer.from(piece))
    try {
      while (trailers === undefined) {
        const frame = reader.tryReadFrame(decoder)
        if (frame == null) break
        if (Buffer.isBuffer(frame)) {
          sizes.push(frame.length)
          data += frame.toString('latin1')
        } else trailers = [...frame]
      }
    } catch (error) {
      if (!(error instanceof HttpError)) throw error
      return { data, status: error.status, rest: '' }
    }
  }
  expect(sizes.filter((size) => size === 0 || size > maxPieceBytes)).toEqual([])
  const rest = reader.tryRead()?.toString('latin1') ?? ''
  // Bytes of a line that is not whole stay with the decoder.
  return trailers === undefined ? { data, rest: '' } : { data, trailers, rest }
}

/** What RFC 9112 7.1 says, with a regular expression for each line and no thought for time. Undefined is none. */
function model(text: string): Decoded | undefined {
  let at = 0
  let data = ''
  for (;;) {
    const line =
      /^0*([0-9a-fA-F]{1,8})((?:[\t ]*;[\t ]*[!#-'*+.^_`|~\w-]+(?:[\t ]*=[\t ]*(?:[!#-'*+.^_`|~\w-]+|"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"))?)*)\r\n/.exec(
        text.slice(at),
      )
    if (line === null) return undefined
    const size = Number.parseInt(line[1] as string, 16)
    at += line[0].length
    if (size === 0) break
    if (text.slice(at + size, at + size + 2) !== '\r\n') return undefined
    data += text.slice(at, at + size)
    at += size + 2
  }
  const section = /^((?:[!#-'*+.^_`|~\w-]+:[\t\x20-\x7e\x80-\xff]*\r\n)*)\r\n/.exec(text.slice(at))
  if (section === null) return undefined
  const trailers = (section[1] as string)
    .split('\r\n')
    .slice(0, -1)
    .map((line): [string, string] => {
      const colon = line.indexOf(':')
      return [
        line.slice(0, colon).toLowerCase(),
        line.slice(colon + 1).replaceAll(/^[\t ]+|[\t ]+$/g, ''),
      ]
    })
  if (trailers.some(([name]) => /^(?:content-length|transfer-encoding|host|trailer)$/.test(name))) {
    return undefined
  }
  return { data, trailers, rest: text.slice(at + section[0].length) }
}

const extension = fc.constantFrom(
  '',
  '',
  ';a',
  ' ;\ta = b',
  ';a="b;\\"c"',
  ';a;b=c;d="\r"',
  ';=',
  ';a=',
  ';"a"',
)
const size = fc.constantFrom('', '0', '00', '0000000')
const chunk = fc
  .tuple(
    fc.string({
      unit: fc.constantFrom('a', '\r', '\n', '0', '\xff', ';'),
      minLength: 1,
      maxLength: 20,
    }),
    size,
    extension,
  )
  .map(([data, zeros, ext]) => `${zeros}${data.length.toString(16)}${ext}\r\n${data}\r\n`)
const trailer = fc.constantFrom(
  '',
  '',
  'X-A: b\r\n',
  'x-a:\t c \r\n',
  'Host: a\r\n',
  'X A: b\r\n',
  'X: \xff\r\n',
)
const coded = fc
  .tuple(
    fc.array(chunk, { maxLength: 4 }),
    fc.constantFrom('0', '00', '0;a=b', '0 ;a'),
    fc.array(trailer, { maxLength: 3 }),
  )
  .map(([chunks, last, trailers]) => `${chunks.join('')}${last}\r\n${trailers.join('')}\r\n`)
const tampered = fc
  .tuple(
    coded,
    fc.nat(),
    fc.nat(2),
    fc.constantFrom('', '', '\r', '\n', '\r\n', ' ', ';', '0', 'g', '-', '\0', 'fffffffff'),
  )
  .map(([text, place, removes, inserts]) => {
    const at = place % (text.length + 1)
    return text.slice(0, at) + inserts + text.slice(at + removes)
  })

describe('ChunkDecoder', () => {
  test('takes what the model takes, and gives the same, however it is cut', () => {
    fc.assert(
      fc.property(
        fc.oneof(coded, tampered),
        cuts(),
        fc.integer({ min: 1, max: 9 }),
        (text, sizes, piece) => {
          const bytes = Buffer.from(`${text}GET /`, 'latin1')
          const expected = model(`${text}GET /`)
          const got = decode(cut(bytes, sizes), piece)
          // Where it is none it waits for more, or has refused.
          expect(got.trailers === undefined ? undefined : got).toEqual(expected)
        },
      ),
      { numRuns: 3000 },
    )
  })

  test('refuses the same, behind the same data, however it is cut', () => {
    fc.assert(
      fc.property(tampered, cuts(), (text, sizes) => {
        const bytes = Buffer.from(text, 'latin1')
        const whole = decode([bytes], Infinity, 30)
        expect(decode(cut(bytes, sizes), Infinity, 30)).toEqual(whole)
        expect(decode(cut(bytes, [1]), Infinity, 30)).toEqual(whole)
      }),
      { numRuns: 1000 },
    )
  })

  test('writes nothing', () => {
    expect(() => new ChunkDecoder(resolveHttpLimits()).encode()).toThrow(TypeError)
  })
})
