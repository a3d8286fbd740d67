/** The echo over TCP gives back the bytes that came, whatever they are and however they were cut. */
import * as fc from 'fast-check'
import { expect } from 'vitest'
import { DecodeError } from '../../src/errors.js'
import { lineEcho } from '../../src/server/line-echo.js'
import type { Server } from '../../src/server/start-server.js'
import { awkwardBytes, cut, cuts, everyCut } from '../support/bytes.js'
import { fault } from '../support/fault.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { seededRandom } from '../support/seeded-random.js'
import { dial, receiveAll, sendApart } from '../support/wire.js'

guardAgainstLeaks()

const PREFIX = 'Antwort für Sie: '

/** What the echo must answer, worked out without it: each line with its own terminator, the last one with none. */
function expectedEcho(input: Buffer): Buffer {
  const parts: Buffer[] = []
  let start = 0
  while (start < input.length) {
    const at = input.indexOf(0x0a, start)
    const end = at < 0 ? input.length : at + 1
    parts.push(Buffer.from(PREFIX), input.subarray(start, end))
    start = end
  }
  return Buffer.concat(parts)
}

async function echoOf(server: Server, chunks: readonly Buffer[]): Promise<Buffer> {
  const client = dial(server.address)
  const received = receiveAll(client)
  await sendApart(client, chunks)
  client.end()
  const { bytes, end } = await received
  expect(end).toBe('end')
  return bytes
}

fault(
  'F22',
  'lineEcho() is byte-exact for NUL, lone CR, CRLF, invalid UTF-8 and a tail without end, for every cut',
  async ({ serve }) => {
    const server = await serve(lineEcho({ prefix: PREFIX }))
    const input = Buffer.concat([
      Buffer.from('a\0b\n\r\n\r\rc\r\n\n€😀\r\n'),
      Buffer.from([0xff, 0xc3, 0x0a, 0xed, 0xa0, 0x80, 0x0d, 0x0a, 0xf0, 0x9f]),
      Buffer.from('tail\r'),
    ])
    const expected = expectedEcho(input).toString('hex')
    for (const chunks of everyCut(input)) {
      expect((await echoOf(server, chunks)).toString('hex')).toBe(expected)
    }
  },
)

fault('F22', 'lineEcho() is byte-exact for any bytes and any cut', async ({ serve }) => {
  const server = await serve(lineEcho({ prefix: PREFIX }))
  const anyBytes = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes))
  await fc.assert(
    fc.asyncProperty(fc.oneof(awkwardBytes(), anyBytes), cuts(), async (input, sizes) => {
      const echo = await echoOf(server, cut(input, sizes))
      expect(echo.toString('hex')).toBe(expectedEcho(input).toString('hex'))
    }),
    { numRuns: 150 },
  )
})

fault(
  'F22',
  'lineEcho() is byte-exact for megabytes of random bytes with seeds',
  async ({ serve }) => {
    const server = await serve(lineEcho({ prefix: PREFIX }))
    for (const seed of [1, 2, 3]) {
      const input = randomBytes(seed, 2 * 1024 * 1024)
      const echo = await echoOf(server, [input])
      expect(echo.equals(expectedEcho(input))).toBe(true)
    }
  },
)

fault(
  'F22',
  'random bytes read as text are one error for each line that is no UTF-8, and the other lines',
  async ({ serve, figure }) => {
    const input = Buffer.concat([randomBytes(4, 256 * 1024), Buffer.from('\nlast\n')])
    const expected = linesOf(input)
    const seen: (string | undefined)[] = []
    const server = await serve(async ({ reader }) => {
      for (;;) {
        const line = await reader.readLine().catch((error: unknown) => {
          if (error instanceof DecodeError) return undefined
          throw error
        })
        if (line === null) return
        seen.push(line)
      }
    })
    const client = dial(server.address)
    const received = receiveAll(client)
    await sendApart(client, [input])
    client.end()
    await received
    expect(seen).toEqual(expected)
    expect(seen.at(-1)).toBe('last')
    expect(expected.filter((line) => line === undefined).length).toBeGreaterThan(100)
    figure('bad lines told', expected.filter((line) => line === undefined).length)
  },
)

/** The lines as text, and undefined for those that are none. */
function linesOf(bytes: Buffer): (string | undefined)[] {
  const lines: (string | undefined)[] = []
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  for (let start = 0, at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, start)) {
    const line = bytes.subarray(start, at > start && bytes[at - 1] === 0x0d ? at - 1 : at)
    try {
      lines.push(decoder.decode(line))
    } catch {
      lines.push(undefined)
    }
    start = at + 1
  }
  return lines
}

/** So many bytes that can be had again. */
function randomBytes(seed: number, length: number): Buffer {
  const random = seededRandom(seed)
  const bytes = Buffer.allocUnsafe(length)
  for (let i = 0; i < length; i++) bytes[i] = random(256)
  return bytes
}
