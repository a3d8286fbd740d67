import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Chunk, Framing } from '../../src/protocol/framing.js'
import { lengthPrefixFraming } from '../../src/protocol/length-prefix-framing.js'
import { lineFraming } from '../../src/protocol/line-framing.js'
import { ndjsonFraming } from '../../src/protocol/ndjson-framing.js'
import { netstringFraming } from '../../src/protocol/netstring-framing.js'
import { separatorFraming } from '../../src/protocol/separator-framing.js'
import { awkwardBytes, cut, cuts, everyCut } from '../support/bytes.js'
import {
  FlatSource,
  playFed,
  playLive,
  playModel,
  type Outcome,
  type Read,
} from '../support/reader-model.js'
import { send, wire } from '../support/wire.js'

interface Case {
  framing: Framing<unknown>
  /** Values, of which the framing may refuse some. */
  values: fc.Arbitrary<unknown>
  /** Bytes that look like frames and mostly are none. */
  garbage: fc.Arbitrary<Buffer>
}

const binary = fc.uint8Array({ maxLength: 300, size: 'max' }).map((bytes) => Buffer.from(bytes))
const bytes = fc.oneof(awkwardBytes({ maxLength: 8 }), binary)
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 30 }),
  awkwardBytes({ maxLength: 6, validOnly: true }).map((one) => one.toString()),
  fc.string({ unit: fc.constantFrom('-', 'a', '\n', '\r', '\ud800'), maxLength: 6 }),
)

/** Pieces of these, in any order. */
function pieces(...all: (string | Buffer)[]): fc.Arbitrary<Buffer> {
  const buffers = all.map((one) => Buffer.from(one as string))
  return fc
    .array(fc.constantFrom(...buffers), { maxLength: 30, size: 'max' })
    .map((some) => Buffer.concat(some))
}

const CASES: Record<string, Case> = {
  lines: { framing: lineFraming({ limit: 40 }), values: text, garbage: awkwardBytes() },
  'lines with their terminator': {
    framing: lineFraming({ keepTerminator: true }),
    values: text.map((one) => `${one}\r\n`),
    garbage: awkwardBytes(),
  },
  'lines as bytes': {
    framing: lineFraming({ encoding: 'buffer' }),
    values: bytes,
    garbage: awkwardBytes(),
  },
  'lines as latin1': {
    framing: lineFraming({ encoding: 'latin1' }),
    values: text,
    garbage: awkwardBytes(),
  },
  'separated by --': {
    framing: separatorFraming('--', { maxBytes: 20 }),
    values: text,
    garbage: pieces('-', '--', 'abc', 'twelve bytes', Buffer.of(0xff)),
  },
  'separated by CRLF CRLF, as bytes': {
    framing: separatorFraming('\r\n\r\n', { encoding: 'buffer' }),
    values: bytes,
    garbage: awkwardBytes(),
  },
  'counted, 1 byte': {
    framing: lengthPrefixFraming({ bytes: 1, endian: 'big', maxBytes: 200 }),
    values: bytes,
    garbage: binary,
  },
  'counted, 2 bytes, little endian, itself included': {
    framing: lengthPrefixFraming({ bytes: 2, endian: 'little', adjustment: -2 }),
    values: bytes,
    garbage: pieces(Buffer.of(0), Buffer.of(1), Buffer.of(5), Buffer.of(200), 'abcde'),
  },
  'counted, 8 bytes': {
    framing: lengthPrefixFraming({ bytes: 8, endian: 'big', maxBytes: 250 }),
    values: bytes,
    garbage: pieces(Buffer.alloc(7), Buffer.of(0), Buffer.of(2), Buffer.of(255), 'abcde'),
  },
  netstrings: {
    framing: netstringFraming({ maxBytes: 250 }),
    values: bytes,
    garbage: pieces('0', '1', '5', ':', ',', 'abcde', '0:,', '1:a,', '5:abcde,'),
  },
  ndjson: {
    framing: ndjsonFraming({ maxBytes: 80 }),
    values: fc.jsonValue({ maxDepth: 2 }),
    garbage: pieces('{', '}', '"', '1', 'null', '\n', '\r\n', ' ', '{}', '[1]\n', Buffer.of(0xff)),
  },
}

function encodedOrRefused(framing: Framing<unknown>, value: unknown): Buffer | undefined {
  let frame: Chunk | readonly Chunk[]
  try {
    frame = framing.encode(value)
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) return undefined
    throw error
  }
  const chunks = typeof frame === 'string' || frame instanceof Uint8Array ? [frame] : frame
  return Buffer.concat(chunks.map((chunk) => Buffer.from(chunk as string)))
}

function script(framing: Framing<unknown>, length: number): Read[] {
  return Array.from({ length }, () => ({ form: 'readFrame', framing }))
}

/** What JSON makes of a value: -0 is 0 in it. */
function plain(value: unknown): unknown {
  return Buffer.isBuffer(value) ? value : (JSON.parse(JSON.stringify(value)) as unknown)
}

describe.each(Object.entries(CASES))('the framing of %s', (_, { framing, values, garbage }) => {
  test('gives back every value that it does not refuse, and takes its bytes alone', () => {
    fc.assert(
      fc.property(values, awkwardBytes({ maxLength: 4 }), (value, rest) => {
        const frame = encodedOrRefused(framing, value)
        fc.pre(frame !== undefined)
        const source = new FlatSource(Buffer.concat([frame, rest]))
        expect(framing.decode(source)).toEqual(plain(value))
        expect(source.rest).toEqual(rest)
      }),
    )
  })

  test('gives back a sequence of values, however its bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(values, { maxLength: 12 }), cuts(), async (all, sizes) => {
        const sent: unknown[] = []
        const frames: Buffer[] = []
        for (const value of all) {
          const frame = encodedOrRefused(framing, value)
          if (frame === undefined) continue
          frames.push(frame)
          sent.push(plain(value))
        }
        const chunks = cut(Buffer.concat(frames), sizes)
        const outcomes = await playFed(chunks, script(framing, sent.length + 1))
        expect(outcomes).toEqual([...sent, null].map((value): Outcome => ({ value })))
      }),
    )
  })

  test('makes the same of garbage, errors included, however it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(garbage, cuts(), fc.boolean(), async (some, sizes, tries) => {
        const reads: Read[] = [...script(framing, 20), { form: 'readAll', maxBytes: Infinity }]
        const outcomes = await playFed(cut(some, sizes), reads, { tries })
        expect(outcomes).toEqual(playModel(some, 65_536, reads, outcomes))
      }),
      { numRuns: 200 },
    )
  })

  test('makes the same of one piece of garbage for every cut', async () => {
    for (const some of fc.sample(garbage, { numRuns: 10, seed: 1 })) {
      const reads: Read[] = [...script(framing, 8), { form: 'readAll', maxBytes: Infinity }]
      for (const chunks of everyCut(some.subarray(0, 80))) {
        const outcomes = await playFed(chunks, reads)
        expect(outcomes).toEqual(playModel(some.subarray(0, 80), 65_536, reads, outcomes))
      }
    }
  })

  test('reads the same over TCP', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(values, { maxLength: 8 }), cuts(), async (all, sizes) => {
        const frames = all.map((value) => encodedOrRefused(framing, value) ?? Buffer.alloc(0))
        const whole = Buffer.concat(frames)
        const { connection, peer } = await wire('tcp')
        const reads = script(framing, all.length + 1)
        const outcomes = playLive(connection.reader, reads)
        for (const chunk of cut(whole, sizes).slice(0, 50)) await send(peer, chunk)
        await send(peer, Buffer.concat(cut(whole, sizes).slice(50)))
        peer.end()
        expect(await outcomes).toEqual(playModel(whole, 65_536, reads, await outcomes))
        connection.abort()
      }),
      { numRuns: 5 },
    )
  })
})
