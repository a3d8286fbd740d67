/** The seed decides every draw: a run can be had again, byte by byte and moment by moment, fault by fault. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { FaultProxy, type Fault, type FaultProxyEvent } from '../../src/testing/index.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { arrivals, textOf, through } from './through-proxy.js'

guardAgainstLeaks()

interface Run {
  readonly seen: readonly (readonly [number, string | null][])[]
  readonly events: readonly FaultProxyEvent[]
  readonly stats: FaultProxy['stats']
}

/** Some connections with the same talk each, and all that anybody sees of it. */
async function play(seed: number, faults: readonly Fault[]): Promise<Run> {
  const clock = new FakeClock()
  const events: FaultProxyEvent[] = []
  const proxy = new FaultProxy({ faults, seed, clock, onEvent: (event) => events.push(event) })
  const pairs = [1, 2, 3, 4].map(() => proxy.connectionPair({ both: { logger: false } }))
  const seen = pairs.flatMap(({ client, server }) => [
    arrivals(client, clock),
    arrivals(server, clock),
  ])
  for (let step = 0; step < 6; step++) {
    for (const { client, server } of pairs) {
      if (!client.writer.isClosing) client.writer.write(`question ${step}, `)
      if (!server.writer.isClosing) server.writer.write(`answer ${step}; `)
    }
    await clock.advance(7)
  }
  for (const { client } of pairs) if (!client.writer.isClosing) client.writer.writeEof()
  await clock.advance(2_000)
  await Promise.all(pairs.map((pair) => pair[Symbol.asyncDispose]()))
  return { seen, events, stats: proxy.stats }
}

/** For each kind: a setting of it with as much chance in it as it can have. */
const EACH_KIND: readonly (readonly Fault[])[] = [
  [{ kind: 'latency', latencyMs: 30, jitterMs: 30, probability: 0.7 }],
  [{ kind: 'bandwidth', bytesPerSecond: 300, probability: 0.5 }],
  [{ kind: 'slicer', bytes: 4, variation: 3, gapMs: 1, probability: 0.7 }],
  [{ kind: 'reset', afterBytes: 20, probability: 0.5 }],
  [{ kind: 'reset', afterMs: 20, probability: 0.5 }],
  [{ kind: 'black-hole', endAfterMs: 25, probability: 0.5 }],
  [{ kind: 'slow-close', delayMs: 500, probability: 0.5 }],
  [{ kind: 'data-limit', bytes: 20, probability: 0.5 }],
]

describe('A run with the same seed is the same, and with another it is another:', () => {
  test.each(EACH_KIND.map((faults) => [faults[0]?.kind, faults] as const))(
    '%s',
    async (_kind, faults) => {
      const first = await play(11, faults)
      expect(await play(11, faults)).toEqual(first)
      const others = await Promise.all([12, 13, 14].map((seed) => play(seed, faults)))
      expect(others.some(({ seen }) => JSON.stringify(seen) !== JSON.stringify(first.seen))).toBe(
        true,
      )
    },
  )

  test('all together', async () => {
    const faults = EACH_KIND.flat()
    const first = await play(11, faults)
    expect(await play(11, faults)).toEqual(first)
  })

  test('down, in which there is no chance', async () => {
    const first = await play(11, [{ kind: 'down' }])
    expect(await play(12, [{ kind: 'down' }])).toEqual(first)
    expect(first.stats.applied).toEqual({ down: 4 })
  })

  test('whatever else is in force', async () => {
    const alone = await play(11, [{ kind: 'slicer', bytes: 4, variation: 3, gapMs: 1 }])
    const more = await play(11, [
      { kind: 'slicer', bytes: 4, variation: 3, gapMs: 1 },
      { kind: 'slow-close', delayMs: 1 },
      { kind: 'reset', connections: [2], afterBytes: 30 },
    ])
    // The ends of the first connection.
    expect(textsOf(more.seen[0])).toEqual(textsOf(alone.seen[0]))
  })
})

describe('What was drawn for a place in a stream holds however its bytes were cut on their way:', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 8 })

  test('the cuts of a slicer', async () => {
    const cutsOf = async (seed: number, chunks: readonly string[]): Promise<Set<number>> => {
      const {
        client,
        server,
        clock,
        [Symbol.asyncDispose]: end,
      } = through({
        seed,
        faults: [{ kind: 'slicer', bytes: 5, variation: 4, direction: 'toTarget' }],
      })
      const seen = arrivals(server, clock)
      for (const chunk of chunks) {
        client.writer.write(chunk)
        await loopTurns(3)
      }
      const length = chunks.join('').length
      for (let i = 0; i < 200 && textOf(seen).length < length; i++) await loopTurns(5)
      await end()
      return endsOf(seen.map(([, text]) => text ?? ''))
    }
    await fc.assert(
      fc.asyncProperty(fc.nat(), sizes, async (seed, chunkSizes) => {
        const chunks = chunkSizes.map((size, i) => String(i % 10).repeat(size))
        const whole = await cutsOf(seed, [chunks.join('')])
        const cut = await cutsOf(seed, chunks)
        expect([...whole].filter((at) => !cut.has(at))).toEqual([])
        const ofItself = endsOf(chunks)
        expect([...cut].filter((at) => !whole.has(at) && !ofItself.has(at))).toEqual([])
      }),
      { numRuns: 40 },
    )
  })

  test('the jitter of a latency', async () => {
    const lastAt = async (seed: number, chunks: readonly string[]): Promise<number | undefined> => {
      const { client, server, clock } = through({
        seed,
        faults: [{ kind: 'latency', latencyMs: 50, jitterMs: 50, direction: 'toTarget' }],
      })
      const seen = arrivals(server, clock)
      for (const chunk of chunks) {
        client.writer.write(chunk)
        await loopTurns(5)
      }
      await clock.advance(200)
      client.writer.write('!')
      await clock.advance(200)
      expect(textOf(seen)).toBe(`${chunks.join('')}!`)
      return seen.at(-1)?.[0]
    }
    for (const seed of [1, 2, 3]) {
      expect(await lastAt(seed, ['a', 'bc', 'def'])).toBe(await lastAt(seed, ['abcdef']))
    }
    expect(await lastAt(1, ['abcdef'])).not.toBe(await lastAt(2, ['abcdef']))
  })
})

/** Where each of the texts ends, counted from the beginning. */
function endsOf(texts: readonly string[]): Set<number> {
  let end = 0
  return new Set(texts.map((text) => (end += text.length)))
}

function textsOf(seen: readonly [number, string | null][] | undefined): (string | null)[] {
  return (seen ?? []).map(([, text]) => text)
}
