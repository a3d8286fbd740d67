/** Every form of reading over TCP gives the same whatever the cuts: what it gives for the whole input, fed by hand. */
import * as fc from 'fast-check'
import { expect } from 'vitest'
import { StandpipeError } from '../../src/errors.js'
import type { Framing } from '../../src/protocol/framing.js'
import { StreamReader, type StreamReaderOptions } from '../../src/protocol/stream-reader.js'
import { awkwardBytes, cut, cuts, everyCut } from '../support/bytes.js'
import { fault, type FaultScene } from '../support/fault.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { dial, receiveAll, sendApart } from '../support/wire.js'
import type { Server } from '../../src/server/start-server.js'

guardAgainstLeaks()

type Read = (reader: StreamReader) => Promise<unknown>

/** A byte of length, then so many bytes. */
const COUNTED: Framing<string> = {
  decode(source) {
    if (source.size === 0) return undefined
    const length = source.byteAt(0) % 16
    if (source.size < 1 + length) return undefined
    source.skip(1)
    return source.take(length).toString('hex')
  },
  encode: (value) => Buffer.from(value, 'hex'),
}

/** Each reads once; null is the end. */
const forms: [string, Read][] = [
  ['readLine()', async (reader) => await reader.readLine()],
  ['readLine() as latin1', async (reader) => await reader.readLine({ encoding: 'latin1' })],
  ['readLine() with U+FFFD', async (reader) => await reader.readLine({ invalidText: 'replace' })],
  [
    'readLine() with its terminator',
    async (reader) => await reader.readLine({ keepTerminator: true }),
  ],
  ['readLine() with a tail', async (reader) => await reader.readLine({ partial: 'yield' })],
  ['readLine() without a tail', async (reader) => await reader.readLine({ partial: 'drop' })],
  ['readLine() of bytes', async (reader) => hex(await reader.readLine({ encoding: 'buffer' }))],
  ['lines()', async (reader) => await next(reader.lines())],
  ['readUntil()', async (reader) => hex(await reader.readUntil('\r\n'))],
  ['readUntil() of several', async (reader) => hex(await reader.readUntil(['bc', 'c\n', '\0']))],
  ['readExactly()', async (reader) => hex(await reader.readExactly(3))],
  ['readFrame()', async (reader) => await reader.readFrame(COUNTED)],
  ['frames()', async (reader) => await next(reader.frames(COUNTED))],
  [
    'readLine() and readExactly() in turn',
    async (reader) => {
      const line = await reader.readLine({ invalidText: 'replace' })
      return line === null ? null : `${line}|${hex(await reader.readExactly(2))}`
    },
  ],
  [
    'peek() and readLine() in turn',
    async (reader) => {
      const ahead = await reader.peek(4)
      const line = await reader.readLine()
      return line === null ? null : `${hex(ahead)}|${line}`
    },
  ],
  [
    'tryReadLine(), else readLine()',
    async (reader) => {
      const line = reader.tryReadLine()
      return line === undefined ? await reader.readLine() : line
    },
  ],
]

const readLines = again(async (reader) => await reader.readLine())

/** These join what they read, since the size of a chunk is nobody's promise. */
const joined: [string, Read][] = [
  ['read()', async (reader) => await joinAll(async () => await reader.read())],
  ['read(2)', async (reader) => await joinAll(async () => await reader.read(2))],
  [
    'chunks()',
    async (reader) => {
      const chunks = reader.chunks()
      return await joinAll(async () => (await chunks.next()).value ?? null)
    },
  ],
  ['readAll()', async (reader) => hex(await reader.readAll())],
  [
    'lineBatches()',
    async (reader) => await flat(reader.lineBatches({ invalidText: 'replace', partial: 'yield' })),
  ],
]

/** Reads on and on, up to null or the error of an end: values, and errors by their codes. */
function again(read: Read): ReadThrough {
  return async (reader) => {
    const values: unknown[] = []
    while (!ENDS.has(values.at(-1))) {
      try {
        values.push(await read(reader))
      } catch (error) {
        if (!(error instanceof StandpipeError)) throw error
        values.push(error.code)
      }
    }
    return values
  }
}

const ENDS: ReadonlySet<unknown> = new Set([null, 'ERR_STANDPIPE_INCOMPLETE_READ'])

/** A server that reads through each connection in one way, and the way to ask it. */
async function readingServer(
  { serve }: FaultScene,
  readThrough: ReadThrough,
  options: StreamReaderOptions = {},
): Promise<(chunks: readonly Buffer[]) => Promise<unknown[]>> {
  const results: Promise<unknown[]>[] = []
  const server: Server = await serve(async ({ reader }) => {
    const result = readThrough(reader)
    results.push(result)
    await result
  }, options)
  return async (chunks) => {
    const client = dial(server.address)
    const ended = receiveAll(client)
    await sendApart(client, chunks)
    client.end()
    await ended
    const [result] = results.splice(0)
    return (await result) ?? []
  }
}

async function readWhole(readThrough: ReadThrough, input: Buffer): Promise<unknown[]> {
  const reader = new StreamReader()
  reader.feedData(Buffer.from(input))
  reader.feedEof()
  return await readThrough(reader)
}

/** Reads an input through, up to its end. */
type ReadThrough = (reader: StreamReader) => Promise<unknown[]>

const all: [string, ReadThrough][] = [
  ...forms.map(([name, read]): [string, ReadThrough] => [name, again(read)]),
  ...joined.map(([name, read]): [string, ReadThrough] => [
    name,
    async (reader) => [await read(reader)],
  ]),
]

for (const [name, readThrough] of all) {
  fault('F26', `${name} over TCP gives the same for any bytes and any cut`, async (scene) => {
    const readOverTcp = await readingServer(scene, readThrough)
    await fc.assert(
      fc.asyncProperty(awkwardBytes({ maxLength: 20 }), cuts(), async (input, sizes) => {
        expect(await readOverTcp(cut(input, sizes))).toEqual(await readWhole(readThrough, input))
      }),
      { numRuns: 40 },
    )
  })

  fault(
    'F24',
    `${name} over TCP gives the same for every cut of characters of several bytes and of CRLF`,
    async (scene) => {
      const readOverTcp = await readingServer(scene, readThrough)
      const input = Buffer.from('é\r\n€😀\r\nbc\0👋🏽\r\n')
      const expected = await readWhole(readThrough, input)
      for (const chunks of everyCut(input)) expect(await readOverTcp(chunks)).toEqual(expected)
    },
  )
}

fault(
  'F20',
  'each line over the limit is exactly one error, and the next line is whole, for every cut',
  async (scene) => {
    const readOverTcp = await readingServer(scene, readLines, { limit: 10 })
    // One byte over, and well over; the lines between are of the limit's very length.
    const input = Buffer.from(`${'x'.repeat(11)}\r\n0123456789\r\n${'x'.repeat(40)}\n9876543210\n`)
    for (const chunks of everyCut(input)) {
      expect(await readOverTcp(chunks)).toEqual([
        'ERR_STANDPIPE_LIMIT_OVERRUN',
        '0123456789',
        'ERR_STANDPIPE_LIMIT_OVERRUN',
        '9876543210',
        null,
      ])
    }
    scene.figure('cuts tried', everyCut(input).length)
  },
)

const BAD = [
  ['a lone continuation byte', '80'],
  ['an overlong slash', 'c0af'],
  ['a surrogate', 'eda080'],
  ['a truncated character', 'e282'],
  ['a character beyond U+10FFFF', 'f4908080'],
  ['a byte that never occurs', 'ff'],
] as const
for (const [what, bad] of BAD) {
  fault(
    'F23',
    `${what} is one error for its line, and the next is whole, for every cut`,
    async (scene) => {
      const readOverTcp = await readingServer(scene, readLines)
      const input = Buffer.concat([
        Buffer.from('good\nbe'),
        Buffer.from(bad, 'hex'),
        Buffer.from('fore\nalso good\n'),
      ])
      for (const chunks of everyCut(input)) {
        expect(await readOverTcp(chunks)).toEqual([
          'good',
          'ERR_STANDPIPE_DECODE',
          'also good',
          null,
        ])
      }
    },
  )

  fault('F23', `${what} is replaced as WHATWG says, for every cut`, async (scene) => {
    const readOverTcp = await readingServer(scene, readLines, {
      invalidText: 'replace',
    })
    const line = Buffer.concat([Buffer.from('be'), Buffer.from(bad, 'hex'), Buffer.from('fore')])
    const input = Buffer.concat([line, Buffer.from('\nnext\n')])
    const expected = [new TextDecoder('utf-8', { ignoreBOM: true }).decode(line), 'next', null]
    for (const chunks of everyCut(input)) expect(await readOverTcp(chunks)).toEqual(expected)
  })
}

function hex(bytes: Buffer | null): string | null {
  return bytes === null ? null : bytes.toString('hex')
}

async function next(items: AsyncIterator<unknown>): Promise<unknown> {
  const { done, value } = await items.next()
  return done === true ? null : value
}

async function flat(batches: AsyncIterable<string[]>): Promise<string[]> {
  const lines: string[] = []
  for await (const batch of batches) lines.push(...batch)
  return lines
}

async function joinAll(readOne: () => Promise<Buffer | null>): Promise<string> {
  const chunks: Buffer[] = []
  for (let chunk = await readOne(); chunk !== null; chunk = await readOne()) chunks.push(chunk)
  return Buffer.concat(chunks).toString('hex')
}
