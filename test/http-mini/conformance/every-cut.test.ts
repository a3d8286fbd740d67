/** Every case in memory: whole, with an answer that takes its time, cut in two at every place, and octet by octet. */
import { describe, expect, test } from 'vitest'
import { guardAgainstLeaks } from '../../support/leak-guard.js'
import { cut } from '../../support/bytes.js'
import { topics } from './cases/index.js'
import { exchange } from './exchange.js'
import type { HttpCase } from './http-case.js'
import { differenceOf } from './outcome.js'

guardAgainstLeaks()

/**
 * Inside a run of one octet all places are alike: where one is longer than this, only its ends and its middle are tried. And
 * such bytes come in pieces of a hundred where others come one by one.
 */
const LONG_RUN = 64
const LONG_BYTES = 3000

/** Places to cut the bytes in two. */
function places(bytes: Buffer): number[] {
  const all: number[] = []
  for (let start = 0; start < bytes.length;) {
    let end = start + 1
    while (end < bytes.length && bytes[end] === bytes[start]) end++
    if (end - start <= LONG_RUN) for (let at = start; at < end; at++) all.push(at)
    else all.push(start, start + 1, (start + end) >> 1, end - 1)
    start = end
  }
  const inside = all.filter((at) => at > 0)
  // Rows of like lines are long without being runs; a hundred places among them do.
  const step = bytes.length > LONG_BYTES ? Math.ceil(inside.length / 100) : 1
  return inside.filter((at, i) => i % step === 0 || at > bytes.length - 40)
}

/** The ways to send the bytes, by their names. */
function* waysToSend(bytes: Buffer): Generator<{ how: string; pieces: Buffer[]; isLate: boolean }> {
  const size = bytes.length > LONG_BYTES ? 100 : 1
  for (const isLate of [false, true]) {
    const late = isLate ? ', answered late' : ''
    yield { how: `whole${late}`, pieces: [bytes], isLate }
    yield { how: `in pieces of ${size}${late}`, pieces: cut(bytes, [size]), isLate }
  }
  for (const at of places(bytes)) {
    yield {
      how: `cut at ${at}`,
      pieces: [bytes.subarray(0, at), bytes.subarray(at)],
      isLate: false,
    }
  }
}

/** The first difference, if there is any: the others mostly say the same again. */
async function firstDifference(one: HttpCase): Promise<string | undefined> {
  const bytes = Buffer.from(one.bytes, 'latin1')
  for (const { how, pieces, isLate } of waysToSend(bytes)) {
    const difference = differenceOf(one, await exchange(pieces, { ...one, isLate }), how)
    if (difference !== undefined) return difference
  }
  return undefined
}

describe.each(topics)('However its bytes are cut: %s', (_topic, cases) => {
  test.each(cases)('$name ($clause)', async (one) => {
    expect(await firstDifference(one)).toBeUndefined()
  })
})
