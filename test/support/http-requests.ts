/** Requests for property tests: well-formed ones, and what mutation makes of them. */
import * as fc from 'fast-check'

const TOKEN_CHARACTERS = "!#$%&'*+-.^_`|~0123456789ABCXYZabcxyz"

const token = fc.string({
  unit: fc.constantFrom(...Array.from(TOKEN_CHARACTERS)),
  minLength: 1,
  maxLength: 8,
})
const method = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'OPTIONS') },
  { weight: 1, arbitrary: token.filter((name) => name !== 'CONNECT') },
)
const path = fc
  .array(fc.constantFrom('a', 'b.c', '%41', "~!$&'()*+,;=:@", '[1]|^', '', '..', 'index.html'), {
    maxLength: 4,
  })
  .map((segments) => `/${segments.join('/')}`)
const query = fc.constantFrom('', '', '?', '?a=b&c', '?%20/?:@', '?a[b]={c}|^`\\')
const host = fc.constantFrom('a', 'a.example:8080', '127.0.0.1', '[::1]:80', 'a:')
const target = fc.oneof(
  { weight: 5, arbitrary: fc.tuple(path, query).map(([p, q]) => p + q) },
  {
    weight: 1,
    arbitrary: fc.tuple(host, path, query).map(([h, p, q]) => `http://${h}${p}${q}`),
  },
)
const value = fc.string({
  unit: fc.constantFrom('a', 'B', '0', ' ', '\t', ',', ';', '=', '"', ':', '\xe9', '\xff', '-'),
  maxLength: 12,
})
const plainField = fc.tuple(token, value).map(([name, text]) => `X-${name}: ${text}`)
const knownField = fc.constantFrom(
  'Connection: keep-alive',
  'Connection: x, Close',
  'Accept: */*',
  'TE: trailers',
  'Expect: 100-continue',
  'Trailer: X-Sum',
)
const fields = fc.array(
  fc.oneof({ weight: 4, arbitrary: plainField }, { weight: 1, arbitrary: knownField }),
  { maxLength: 5 },
)
/** Bodies look like requests, chunks and line ends as often as not. */
const body = fc
  .array(
    fc.constantFrom(
      'hello',
      '\r\n',
      '\n',
      '\0',
      '0\r\n\r\n',
      'GET / HTTP/1.1\r\n',
      '\xff',
      'x'.repeat(300),
    ),
    {
      maxLength: 5,
    },
  )
  .map((parts) => parts.join(''))
const extension = fc.constantFrom('', '', '', ';a', ';a=b', ' ; a = "b c"', ';a="\\"";b')
const trailers = fc.constantFrom('', '', '', 'X-Sum: 1\r\n', 'X-A: b\r\nX-B:\r\n')

function chunked(text: string, sizes: readonly number[], extensions: readonly string[]): string {
  let coded = ''
  for (let at = 0, i = 0; at < text.length; i++) {
    const data = text.slice(at, at + (sizes[i % sizes.length] as number))
    coded += `${data.length.toString(16)}${extensions[i % extensions.length]}\r\n${data}\r\n`
    at += data.length
  }
  return `${coded}0\r\n`
}

const framedBody = fc.oneof(
  fc.constant(['', ''] as const),
  body.map((text) => [`Content-Length: ${text.length}\r\n`, text] as const),
  fc
    .tuple(
      body,
      fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 3 }),
      fc.array(extension, { minLength: 1, maxLength: 3 }),
      trailers,
    )
    .map(
      ([text, sizes, extensions, section]) =>
        [
          'Transfer-Encoding: chunked\r\n',
          `${chunked(text, sizes, extensions)}${section}\r\n`,
        ] as const,
    ),
)

const oneRequest = fc
  .tuple(method, target, host, fields, framedBody)
  .map(
    ([verb, where, authority, lines, [framing, text]]) =>
      `${verb} ${where} HTTP/1.1\r\nHost: ${authority}\r\n${lines
        .map((line) => `${line}\r\n`)
        .join('')}${framing}\r\n${text}`,
  )

const oldRequest = fc
  .tuple(path, fc.boolean())
  .map(
    ([where, stays]) => `GET ${where} HTTP/1.0\r\n${stays ? 'Connection: keep-alive\r\n' : ''}\r\n`,
  )

/** One to four requests behind each other, as text of one character an octet. */
export const wellFormed = fc
  .array(fc.oneof({ weight: 6, arbitrary: oneRequest }, { weight: 1, arbitrary: oldRequest }), {
    minLength: 1,
    maxLength: 4,
  })
  .map((requests) => requests.join(''))

/** What is put into the bytes, or in the place of some of them. */
const junk = fc.oneof(
  fc.constantFrom(
    '\r',
    '\n',
    '\r\n',
    '\r\n\r\n',
    '\n\n',
    '\0',
    ' ',
    '\t',
    ':',
    ',',
    ';',
    '\x7f',
    '\x0b',
    '\xa0',
    '0',
    '5',
    '+',
    '-',
    '_',
    'f',
    '0x',
    '9'.repeat(16),
    'Content-Length: 5\r\n',
    'Content-Length: 0\r\n',
    'content-length : 5\r\n',
    'Transfer-Encoding: chunked\r\n',
    'Transfer-Encoding: identity\r\n',
    'Transfer-Encoding:\x0bchunked\r\n',
    'Host: b\r\n',
    'Expect: x\r\n',
    'Connection: close\r\n',
    ' folded\r\n',
    '0\r\n\r\n',
    '5\r\nhello\r\n',
    'GET /admin HTTP/1.1\r\nHost: a\r\n\r\n',
    'HTTP/1.1',
    'HTTP/2.0',
    '%',
    '*',
    'x'.repeat(9000),
    'X: y\r\n'.repeat(120),
  ),
  fc.integer({ min: 0, max: 255 }).map((octet) => String.fromCharCode(octet)),
)

/** Where, as a share of the length; how many octets go; what comes. A third of the places are the ends of lines. */
const mutation = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  atLineEnd: fc.constantFrom(true, false, false),
  removes: fc.constantFrom(0, 0, 0, 1, 1, 2, 5, 20),
  inserts: fc.oneof({ weight: 4, arbitrary: junk }, { weight: 1, arbitrary: fc.constant('') }),
})

type Mutation = typeof mutation extends fc.Arbitrary<infer T> ? T : never

function mutate(text: string, { at, atLineEnd, removes, inserts }: Mutation): string {
  let place = Math.floor(at * text.length)
  if (atLineEnd) {
    const next = text.indexOf('\r\n', place)
    if (next >= 0) place = next + 2
  }
  return text.slice(0, place) + inserts + text.slice(place + removes)
}

/** Requests with up to four places that are not as they were. */
export const mutated = fc
  .tuple(wellFormed, fc.array(mutation, { maxLength: 4 }))
  .map(([text, mutations]) => mutations.reduce(mutate, text))
