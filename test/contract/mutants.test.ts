import { describe, expect, test } from 'vitest'
import { systemClock } from '../../src/concurrency/clock.js'
import {
  BYTE_STREAM_RULES,
  BrokenRulesError,
  checkByteStream,
  connectionPair,
  type CheckByteStreamOptions,
} from '../../src/testing/index.js'
import { endingMutants } from './mutants/ending-mutants.js'
import { lineMutants } from './mutants/line-mutants.js'
import type { Mutant } from './mutants/mutant.js'
import { readingMutants } from './mutants/reading-mutants.js'
import { waitingMutants } from './mutants/waiting-mutants.js'
import { writingMutants } from './mutants/writing-mutants.js'

const mutants = [
  ...readingMutants,
  ...lineMutants,
  ...waitingMutants,
  ...writingMutants,
  ...endingMutants,
]

/** The rules that `checkByteStream` finds broken in memory pairs of a mutant. */
async function brokenRulesOf(
  mutant: Mutant,
  options: CheckByteStreamOptions = {},
): Promise<string[]> {
  const makePair = () => {
    const { client, server } = connectionPair({ clock: systemClock })
    return [mutant.mutate(client), mutant.mutate(server)] as const
  }
  try {
    await checkByteStream(makePair, makePair, { ruleTimeoutMs: 250, ...options })
    return []
  } catch (error) {
    if (error instanceof BrokenRulesError) return error.brokenRules
    throw error
  }
}

describe('checkByteStream() finds a stream of which', () => {
  test.each(mutants)('$name', async (mutant) => {
    const broken = await brokenRulesOf(mutant, { only: mutant.breaks })
    expect(broken.toSorted()).toEqual(mutant.breaks.toSorted())
  })
})

describe('checkByteStream() blames nothing else for a stream of which', () => {
  test.each([
    'a cut last line is run as if it were whole',
    'the tail of an over-long line looks like a line, as in asyncio',
    'a second read queues behind the first',
    'a write after the end is ignored in silence',
    'a read out of time eats what was there',
    'drain() resolves on a broken stream, as in asyncio',
    'closed counts no bytes',
  ])('%s', async (name) => {
    const mutant = mutants.find((one) => one.name === name)
    expect(mutant && (await brokenRulesOf(mutant, { ruleTimeoutMs: 1_500 })).toSorted()).toEqual(
      mutant?.breaks.toSorted(),
    )
  })
})

describe('the mutants', () => {
  test('break every rule, so that each rule is known to find something', () => {
    const broken = new Set(mutants.flatMap(({ breaks }) => breaks))
    expect([...BYTE_STREAM_RULES].filter((rule) => !broken.has(rule))).toEqual([])
  })
})
