/** The table itself: whether it is large enough, says each thing once, and agrees with the model of the RFC. */
import { describe, expect, test } from 'vitest'
import { readRequests, type Reading } from '../../support/http-model.js'
import { topics } from './cases/index.js'
import type { HttpCase } from './http-case.js'

const all = topics.flatMap(([topic, cases]) => cases.map((one) => ({ topic, ...one })))

test('The table has at least 250 cases', () => {
  expect(all.length).toBeGreaterThanOrEqual(250)
})

test('The table names each case of a topic once', () => {
  const names = all.map(({ topic, name }) => `${topic}: ${name}`)
  expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([])
})

test('Every case names the clause that it rests on', () => {
  expect(all.filter(({ clause }) => !/^(?:RFC \d{4} [\d.]+|CVE-\d{4}-\d+)$/.test(clause))).toEqual(
    [],
  )
})

test('The bytes of a case are bytes', () => {
  expect(all.filter(({ bytes }) => /[^\0-\xff]/.test(bytes))).toEqual([])
})

/** Paths at which the probe decides by itself what becomes of the connection; the model does not know it. */
const OF_THE_PROBE = /^\S+ \/(?:unread|close|short|long|patient|early|stream)\b/

describe.each(topics)('The model agrees with the cases on %s', (_topic, cases) => {
  const plain = cases.filter(
    (one) =>
      typeof one.after !== 'number' &&
      one.limits?.maxRequestsPerConnection === undefined &&
      !one.seen.some((seen) => OF_THE_PROBE.test(seen)),
  )
  test.each(plain)('$name', (one) => {
    const reading = readRequests(one.bytes, { ended: one.after === 'end', ...one.limits })
    const isLastBroken =
      reading.next === 'refuses' || (reading.next === 'either' && one.left === 'closed')
    expect(seenOf(reading, isLastBroken)).toEqual(one.seen)
    expect(ENDINGS[reading.next]).toContain(endingOf(one))
  })
})

function seenOf({ requests }: Reading, isBroken: boolean): string[] {
  return requests.map(({ method, path, query, body }) => {
    const where = `${method} ${path}${query === '' ? '' : `?${query}`}`
    if (body === undefined) return `${where} ${isBroken ? '!' : '…'}`
    return body === '' ? where : `${where} ${body}`
  })
}

const ENDINGS: Readonly<Record<Reading['next'], readonly string[]>> = {
  refuses: ['refused, closed'],
  waits: ['open'],
  ends: ['closed'],
  either: ['refused, closed', 'open'],
}

/** How a case ends; refused is a last answer that the server gave without the application, or to a body that is none. */
function endingOf({ seen, replies, left }: HttpCase): string {
  const isRefused = replies.length > seen.length || seen.at(-1)?.endsWith(' !') === true
  return isRefused ? `refused, ${left}` : left
}
