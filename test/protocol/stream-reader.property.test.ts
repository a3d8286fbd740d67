import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Framing } from '../../src/protocol/framing.js'
import { lengthPrefixFraming } from '../../src/protocol/length-prefix-framing.js'
import { lineFraming } from '../../src/protocol/line-framing.js'
import { ndjsonFraming } from '../../src/protocol/ndjson-framing.js'
import { netstringFraming } from '../../src/protocol/netstring-framing.js'
import { separatorFraming } from '../../src/protocol/separator-framing.js'
import { awkwardBytes, cut, cuts, everyCut, longAwkwardBytes } from '../support/bytes.js'
import { playFed, playLive, playModel, type LineRead, type Read } from '../support/reader-model.js'
import { send, wire } from '../support/wire.js'

const FRAMINGS: Record<string, Framing<unknown>> = {
  lines: lineFraming({ limit: 50 }),
  'lines as bytes': lineFraming({ encoding: 'buffer', keepTerminator: true }),
  separated: separatorFraming('\r\n', { maxBytes: 50, encoding: 'latin1' }),
  counted: lengthPrefixFraming({ bytes: 1, endian: 'big', maxBytes: 100 }),
  netstrings: netstringFraming({ maxBytes: 100 }),
  ndjson: ndjsonFraming({ maxBytes: 100 }),
}

const DEFAULT_LINE: LineRead = {
  encoding: 'utf8',
  keepTerminator: false,
  partial: 'error',
  invalidText: 'error',
}

/** Every read form by name. Played over and over, each ends with null, or says the same again and again. */
const FORMS: [string, Read][] = [
  ['read()', { form: 'read', maxBytes: Infinity }],
  ['read(5)', { form: 'read', maxBytes: 5 }],
  ['readExactly()', { form: 'readExactly', count: 7 }],
  ['readUntil() of one byte', { form: 'readUntil', separators: ['\n'] }],
  ['readUntil() of several bytes', { form: 'readUntil', separators: ['\r\n\r'] }],
  [
    'readUntil() of several separators',
    { form: 'readUntil', separators: ['\r\n', '\n', 'twelve'] },
  ],
  ['readLine()', { form: 'readLine', options: DEFAULT_LINE }],
  ['readLine(), replace', line({ invalidText: 'replace' })],
  ['readLine(), latin1', line({ encoding: 'latin1' })],
  ['readLine(), buffer', line({ encoding: 'buffer' })],
  ['readLine(), keepTerminator', line({ keepTerminator: true })],
  ['readLine(), buffer, keepTerminator', line({ encoding: 'buffer', keepTerminator: true })],
  ['readLine(), partial: yield', line({ partial: 'yield' })],
  ['readLine(), partial: drop', line({ partial: 'drop' })],
  ['lineBatches()', batch({})],
  ['lineBatches(), replace', batch({ invalidText: 'replace' })],
  ['lineBatches(), latin1, keepTerminator', batch({ encoding: 'latin1', keepTerminator: true })],
  ['lineBatches(), buffer, yield', batch({ encoding: 'buffer', partial: 'yield' })],
  ['readAll()', { form: 'readAll', maxBytes: Infinity }],
  ['readAll(), with a cap', { form: 'readAll', maxBytes: 30 }],
  ['peek()', { form: 'peek', count: 9 }],
  ...Object.entries(FRAMINGS).map(([name, framing]): [string, Read] => [
    `readFrame(), ${name}`,
    { form: 'readFrame', framing },
  ]),
]

function line(options: Partial<LineRead>): Read {
  return { form: 'readLine', options: { ...DEFAULT_LINE, ...options } }
}

function batch(options: Partial<LineRead>): Read {
  return { form: 'lineBatch', options: { ...DEFAULT_LINE, ...options } }
}

const awkward = fc.oneof(
  { weight: 2, arbitrary: awkwardBytes() },
  { weight: 2, arbitrary: awkwardBytes({ validOnly: true }) },
  { weight: 1, arbitrary: longAwkwardBytes() },
)
const limits = fc.constantFrom(5, 24, 65_536)
const ahead = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 4 })

/** Over the discard cap the connection is closed, and the peer of this test could not send the rest. */
function limitFor(bytes: Buffer, wanted: number): number {
  const runs = bytes.toString('latin1').split('\n')
  return Math.max(wanted, Math.ceil(Math.max(...runs.map((run) => run.length)) / 15))
}

describe('StreamReader: the results never depend on how the bytes were cut', () => {
  test.each(FORMS)('%s, for any input', async (_, read) => {
    const script = Array.from({ length: 45 }, () => read)
    await fc.assert(
      fc.asyncProperty(
        awkward,
        limits,
        cuts(),
        ahead,
        fc.boolean(),
        async (bytes, limit, sizes, chunksAhead, tries) => {
          const options = { limit, ahead: chunksAhead, tries }
          const outcomes = await playFed(cut(bytes, sizes), script, options)
          expect(outcomes).toEqual(playModel(bytes, limit, script, outcomes))
        },
      ),
      { numRuns: 60 },
    )
  })

  test.each(FORMS)('%s, for every cut of one input', async (_, read) => {
    const text = 'a\r\n\r\n\0é\r\r\nover-long line\n{"x":1}\n5:hello,twelve bytes\n\ufeff€\r\r'
    const bytes = Buffer.concat([Buffer.from(text), Buffer.from('\xff\nend', 'latin1')])
    const script = Array.from({ length: 12 }, () => read)
    for (const chunks of everyCut(bytes)) {
      const outcomes = await playFed(chunks, script, { limit: 12 })
      expect(outcomes).toEqual(playModel(bytes, 12, script, outcomes))
    }
  })

  const count = fc.integer({ min: 0, max: 20 })
  const lineRead: fc.Arbitrary<LineRead> = fc.record({
    encoding: fc.constantFrom('utf8', 'utf8', 'latin1', 'buffer'),
    keepTerminator: fc.boolean(),
    partial: fc.constantFrom('error', 'yield', 'drop'),
    invalidText: fc.constantFrom('error', 'replace'),
  })
  const anyRead: fc.Arbitrary<Read> = fc.oneof(
    fc.record({ form: fc.constant('read' as const), maxBytes: fc.integer({ min: 0, max: 30 }) }),
    fc.record({ form: fc.constantFrom('readExactly', 'peek'), count }),
    fc.record({
      form: fc.constant('readUntil' as const),
      separators: fc.array(fc.constantFrom('\n', '\r\n', '\n\n', 'bc', 'ä', '\0'), {
        minLength: 1,
        maxLength: 3,
      }),
    }),
    fc.record({ form: fc.constantFrom('readLine', 'readLine', 'lineBatch'), options: lineRead }),
    fc.record({ form: fc.constant('readAll' as const), maxBytes: fc.integer({ max: 40, min: 0 }) }),
    fc
      .constantFrom(...Object.keys(FRAMINGS))
      .map((name): Read => ({ form: 'readFrame', framing: FRAMINGS[name] as Framing<unknown> })),
  )

  test('any reads in any order', async () => {
    await fc.assert(
      fc.asyncProperty(
        awkward,
        limits,
        cuts(),
        ahead,
        fc.boolean(),
        fc.array(anyRead, { maxLength: 50, size: 'max' }),
        async (bytes, limit, sizes, chunksAhead, tries, script) => {
          const options = { limit, ahead: chunksAhead, tries }
          const outcomes = await playFed(cut(bytes, sizes), script, options)
          expect(outcomes).toEqual(playModel(bytes, limit, script, outcomes))
        },
      ),
      { numRuns: 1000 },
    )
  })

  test('any reads in any order, over TCP', async () => {
    await fc.assert(
      fc.asyncProperty(
        awkward,
        cuts(),
        fc.array(anyRead, { maxLength: 50, size: 'max' }),
        async (bytes, sizes, script) => {
          const limit = limitFor(bytes, 24)
          const { connection, peer } = await wire('tcp', { limit })
          const sent = (async () => {
            for (const chunk of cut(bytes, sizes).slice(0, 200)) {
              await send(peer, chunk)
              await new Promise((resolve) => setImmediate(resolve))
            }
            peer.end()
          })()
          const whole = Buffer.concat(cut(bytes, sizes).slice(0, 200))
          const outcomes = await playLive(connection.reader, script)
          await sent
          connection.abort()
          expect(outcomes).toEqual(playModel(whole, limit, script, outcomes))
        },
      ),
      { numRuns: 30 },
    )
  })
})
