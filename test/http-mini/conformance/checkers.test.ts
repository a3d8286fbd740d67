/** The checkers are checked: on a server that is right, and on servers that are broken on purpose, each in a way that some server was. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cut } from '../../support/bytes.js'
import { readRequests } from '../../support/http-model.js'
import { mutated } from '../../support/http-requests.js'
import { guardAgainstLeaks } from '../../support/leak-guard.js'
import { topics } from './cases/index.js'
import { exchangeWith, type Exchange } from './exchange.js'
import type { HttpCase } from './http-case.js'
import { compareWithModel } from './meaning.js'
import { differenceOf } from './outcome.js'
import { referenceServer, type Fault } from './reference-server.js'

guardAgainstLeaks()

const RUNS = 400

/**
 * Cases that the reference server knows the answer to: no paths of the probe, no limits, no status but 200 and 400, and
 * nothing that it would have to refuse before it is whole.
 */
const plain: readonly HttpCase[] = topics
  .flatMap(([, cases]) => cases)
  .filter(
    ({ seen, replies, limits, after, bytes, lastBody }) =>
      limits === undefined &&
      lastBody === undefined &&
      typeof after !== 'number' &&
      bytes.length < 1000 &&
      readRequests(bytes, { ended: after === 'end' }).next !== 'either' &&
      replies.every((status) => status === 200 || status === 400) &&
      seen.every((text) => /^\S+ (?:\/|\*)(?: |$)/.test(text)),
  )

async function withFault(
  fault: Fault,
  pieces: readonly Buffer[],
  after?: 'end' | number,
): Promise<Exchange> {
  return await exchangeWith((seen) => referenceServer(seen, fault), pieces, after)
}

/** How many cases show the fault, sent whole and octet by octet. */
async function shownByTable(fault: Fault): Promise<string[]> {
  const shown: string[] = []
  for (const one of plain) {
    const bytes = Buffer.from(one.bytes, 'latin1')
    for (const pieces of [[bytes], cut(bytes, [1])]) {
      const got = await withFault(fault, pieces, one.after)
      if (isDifferent(one, got)) shown.push(one.name)
    }
  }
  return shown
}

/** An answer that cannot be read at all is a difference too. */
function isDifferent(one: HttpCase, got: Exchange): boolean {
  try {
    return differenceOf(one, got, '') !== undefined
  } catch {
    return true
  }
}

async function shownByFuzzing(fault: Fault): Promise<boolean> {
  const property = fc.asyncProperty(mutated, async (text) => {
    const got = await withFault(fault, [Buffer.from(text, 'latin1')])
    return compareWithModel(readRequests(text), got).length === 0
  })
  const { failed } = await fc.check(property, { numRuns: RUNS, seed: 7, endOnFailure: true })
  return failed
}

const withoutField = (name: string, beside: RegExp) => (text: string) =>
  beside.test(text) ? text.replaceAll(new RegExp(`^${name}:.*\r\n`, 'gim'), '') : text

const faults: readonly (readonly [name: string, fault: Fault])[] = [
  ['takes LF for a line end', { misreads: (text) => text.replaceAll(/(?<!\r)\n/g, '\r\n') }],
  ['takes CR for a line end', { misreads: (text) => text.replaceAll(/\r(?!\n)/g, '\r\n') }],
  [
    'lets Transfer-Encoding win over Content-Length',
    { misreads: withoutField('Content-Length', /transfer-encoding/i) },
  ],
  [
    'lets Content-Length win over Transfer-Encoding',
    { misreads: withoutField('Transfer-Encoding', /content-length/i) },
  ],
  [
    'takes the first of two equal lengths',
    { misreads: (text) => text.replaceAll(/(content-length: 5\r\n)\1/gi, '$1') },
  ],
  [
    'reads lengths as a language does',
    { misreads: (text) => text.replaceAll(/(content-length: )\+(?=\d)/gi, '$1') },
  ],
  ['unfolds lines', { misreads: (text) => text.replaceAll(/\r\n[\t ]+/g, ' ') }],
  [
    'takes white space before the colon',
    { misreads: (text) => text.replaceAll(/^(\S+)[\t ]+:/gm, '$1:') },
  ],
  [
    'does not look at Host',
    {
      misreads: (text) =>
        text.replaceAll(/^host:.*\r\n/gim, '').replaceAll(/( HTTP\/1\.1\r\n)/g, '$1Host: a\r\n'),
    },
  ],
  ['takes chunk sizes with 0x', { misreads: (text) => text.replaceAll(/^0x(?=5)/gm, '') }],
  [
    'throws extensions away unseen',
    { misreads: (text) => text.replaceAll(/^(\d);[^\r]*\r\n/gm, '$1\r\n') },
  ],
  ['goes on after a refusal', { staysOpen: true }],
  [
    'loses the answers before a refusal',
    { answers: (answers, refusal) => (refusal === undefined ? answers : [refusal]) },
  ],
  [
    'answers in the wrong order',
    {
      answers: (answers, refusal) => [
        ...answers.toReversed(),
        ...(refusal === undefined ? [] : [refusal]),
      ],
    },
  ],
  [
    'answers the last one twice',
    {
      answers: (answers, refusal) => [
        ...answers,
        ...answers.slice(-1),
        ...(refusal === undefined ? [] : [refusal]),
      ],
    },
  ],
  [
    'refuses with words that are no answer',
    {
      answers: (answers, refusal) =>
        refusal === undefined ? answers : [...answers, 'Bad Request\r\n\r\n'],
    },
  ],
  [
    'forgets the Date',
    {
      answers: (answers, refusal) =>
        [...answers, refusal ?? ''].map((text) => text.replace(/Date: .*\r\n/, '')),
    },
  ],
]

test('The reference server is right in every case, and under fuzzing', async () => {
  expect(plain.length).toBeGreaterThan(350)
  expect(await shownByTable({})).toEqual([])
  expect(await shownByFuzzing({})).toBe(false)
})

describe.each(faults)('A server that %s', (_name, fault) => {
  test('is found out by the table', async () => {
    expect(await shownByTable(fault)).not.toEqual([])
  })
})

/** What chance finds in so few runs; the others need bytes that it seldom makes. */
const common = new Set([
  'takes LF for a line end',
  'does not look at Host',
  'goes on after a refusal',
  'loses the answers before a refusal',
  'answers in the wrong order',
  'answers the last one twice',
  'refuses with words that are no answer',
  'forgets the Date',
])

describe.each(faults.filter(([name]) => common.has(name)))('A server that %s', (_name, fault) => {
  test('is found out by fuzzing', async () => {
    expect(await shownByFuzzing(fault).catch(() => true)).toBe(true)
  })
})
