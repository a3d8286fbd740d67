import { describe, expect, test } from 'vitest'
import { systemClock } from '../../src/concurrency/clock.js'
import {
  BrokenRulesError,
  BYTE_STREAM_RULES,
  checkByteStream,
  connectionPair,
  type ByteStream,
  type ByteStreamPair,
} from '../../src/testing/index.js'

const makePair = (): ByteStreamPair => {
  const { client, server } = connectionPair({ clock: systemClock })
  return [client, server]
}

const IN_ORDER = 'bytes arrive whole and in order'
const PEEK = 'peek() consumes nothing'

async function brokenRules(check: Promise<unknown>): Promise<BrokenRulesError> {
  const error = await check.catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(BrokenRulesError)
  return error as BrokenRulesError
}

describe('checkByteStream()', () => {
  test('gives what came of each rule, in order', async () => {
    const results = await checkByteStream(makePair, makePair)
    expect(results).toEqual(BYTE_STREAM_RULES.map((rule) => ({ rule, outcome: 'kept' })))
  })

  test('skips the rules about a peer that does not read, without a maker of such pairs', async () => {
    const results = await checkByteStream(makePair)
    const skipped = results.filter(({ outcome }) => outcome === 'skipped')
    expect(skipped.length).toBe(11)
    expect(skipped.map(({ rule }) => rule)).toContain('flush() waits for the kernel')
  })

  test('checks only what it is asked for', async () => {
    const results = await checkByteStream(makePair, undefined, { only: [PEEK] })
    expect(results).toEqual([{ rule: PEEK, outcome: 'kept' }])
  })

  test('refuses the name of a rule that there is not', async () => {
    const check = checkByteStream(makePair, undefined, { only: [PEEK, 'be nice'] })
    await expect(check).rejects.toThrow(new RangeError('no rule has the name "be nice"'))
  })

  test('tries each rule in both directions, each time on a fresh pair that is closed afterwards', async () => {
    const made: ByteStream[] = []
    await checkByteStream(
      () => {
        const pair = makePair()
        made.push(...pair)
        return pair
      },
      undefined,
      { only: [IN_ORDER, PEEK] },
    )
    expect(new Set(made).size).toBe(8)
    const ends = await Promise.all(made.map(async (stream) => stream.closed))
    expect(ends.map(({ reason }) => reason.kind)).toEqual(ends.map(() => 'aborted'))
    // What the first of the pair sends, in the direction "forth", the second sends in "back".
    expect(ends.slice(0, 4).map(({ bytesRead }) => bytesRead > 0)).toEqual([
      false,
      true,
      true,
      false,
    ])
  })

  test('names each broken rule and how it was broken', async () => {
    const deaf = (): ByteStreamPair => [makePair()[0], makePair()[1]]
    const error = await brokenRules(
      checkByteStream(deaf, undefined, { only: [IN_ORDER, PEEK], ruleTimeoutMs: 20 }),
    )
    expect(error.brokenRules).toEqual([IN_ORDER, PEEK])
    expect(error.errors.length).toBe(2)
    expect(error.message).toBe(
      [
        '2 of 2 rules are broken:',
        `  ${IN_ORDER}: the rule did not come to an end within 20 ms`,
        `  ${PEEK}: the rule did not come to an end within 20 ms`,
      ].join('\n'),
    )
  })

  test('does not hang on streams that never close', async () => {
    const immortal = (): ByteStreamPair => {
      const [client, server] = makePair()
      return [
        { ...pick(client), abort: () => {}, closed: new Promise(() => {}) },
        { ...pick(server), abort: () => {}, closed: new Promise(() => {}) },
      ]
    }
    const error = await brokenRules(
      checkByteStream(immortal, undefined, { only: [PEEK], ruleTimeoutMs: 20 }),
    )
    expect(error.message).toContain('abort() of both ends did not come to an end within 20 ms')
  })

  test('counts a maker that fails, or never ends, as a broken rule', async () => {
    const failing = (): never => {
      throw new Error('no such port')
    }
    const failed = await brokenRules(checkByteStream(failing, undefined, { only: [PEEK] }))
    expect(failed.message).toContain(`${PEEK}: no such port`)
    const stuck = async (): Promise<ByteStreamPair> => new Promise(() => {})
    const late = await brokenRules(
      checkByteStream(stuck, undefined, { only: [PEEK], ruleTimeoutMs: 20 }),
    )
    expect(late.message).toContain('making the pair did not come to an end within 20 ms')
  })
})

test('checkByteStream() refuses what makes no pair', async () => {
  const refused = checkByteStream(undefined as never).catch((error: unknown) => error)
  expect(await refused).toMatchObject({
    name: 'TypeError',
    message: 'makePair must be a function, not undefined',
  })
})

function pick(stream: ByteStream): ByteStream {
  const { reader, writer, signal, closed } = stream
  return {
    reader,
    writer,
    signal,
    closed,
    close: async () => stream.close(),
    abort: (reason) => stream.abort(reason),
  }
}
