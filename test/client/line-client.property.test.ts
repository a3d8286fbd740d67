/**
 * Replies pair with their requests, whatever the cut of the bytes, the aborts, the timeouts and the order of
 * events: scripts of random steps are played over a pair in memory, and what came of each request is compared
 * with what the script did to it.
 */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { LineClient } from '../../src/client/line-client.js'
import {
  BrokenError,
  ClosedError,
  DecodeError,
  IncompleteReadError,
  LimitOverrunError,
  TimeoutError,
} from '../../src/errors.js'
import { connectionPair } from '../../src/testing/connection-pair.js'
import { loopTurns } from '../../src/testing/fake-clock.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { watch, type Watched } from '../support/settled.js'

guardAgainstLeaks()

type ReplyKind = 'good' | 'undecodable' | 'too long'
type Ending = 'close' | 'fin' | 'cut' | 'reset' | 'abort'

type Step =
  | { readonly do: 'request'; readonly timeoutMs: number | undefined }
  | { readonly do: 'send' }
  | { readonly do: 'reply'; readonly kinds: readonly ReplyKind[] }
  | { readonly do: 'push' }
  | { readonly do: 'abort'; readonly which: number }
  | { readonly do: 'advance'; readonly ms: number }
  | { readonly do: 'turn'; readonly turns: number }

interface Script {
  readonly steps: readonly Step[]
  readonly ending: Ending
  readonly maxInFlight: number
  readonly highWaterMark: number
  readonly bufferBytes: number
  readonly cuts: readonly number[]
}

const LIMIT = 40
const DEFAULT_TIMEOUT_MS = 1000

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('request' as const),
      timeoutMs: fc.option(fc.integer({ min: 1, max: 300 }), { nil: undefined, freq: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('send' as const) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('reply' as const),
      kinds: fc.array(
        fc.oneof(
          { weight: 5, arbitrary: fc.constant('good' as const) },
          { weight: 1, arbitrary: fc.constantFrom('undecodable' as const, 'too long' as const) },
        ),
        { minLength: 1, maxLength: 4 },
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('push' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('abort' as const), which: fc.nat(20) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('advance' as const),
      ms: fc.integer({ min: 1, max: 400 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('turn' as const),
      turns: fc.integer({ min: 1, max: 6 }),
    }),
  },
)

const script: fc.Arbitrary<Script> = fc.record({
  steps: fc.array(step, { maxLength: 40, size: 'max' }),
  ending: fc.constantFrom<Ending>('close', 'fin', 'cut', 'reset', 'abort'),
  maxInFlight: fc.constantFrom(1, 2, 5, 1024),
  highWaterMark: fc.constantFrom(1, 20, 65_536),
  bufferBytes: fc.constantFrom(7, 64, 65_536),
  cuts: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 5 }),
})

interface Asked {
  readonly text: string
  readonly watched: Watched<string>
  readonly giveUp: AbortController
  readonly dueAt: number
  wasAborted: boolean
  repliedWith: ReplyKind | undefined
}

async function play({ steps, ending, cuts, ...options }: Script): Promise<void> {
  let cutsMade = 0
  await using pair = connectionPair({
    both: { logger: false, limit: LIMIT, highWaterMark: options.highWaterMark },
    transport: {
      bufferBytes: options.bufferBytes,
      cut: () => cuts[cutsMade++ % cuts.length] as number,
    },
  })
  const { client, server, clock } = pair
  const line = new LineClient(client, {
    clock,
    requestTimeoutMs: DEFAULT_TIMEOUT_MS,
    maxInFlight: options.maxInFlight,
    highWaterMark: options.highWaterMark,
  })

  const calls: string[] = []
  const asked = new Map<string, Asked>()
  const pushed: string[] = []
  const received: string[] = []
  /** What the server has received and not answered. */
  const due: string[] = []
  const serve = async (): Promise<void> => {
    for await (const text of server.reader) {
      received.push(text)
      if (asked.has(text)) due.push(text)
    }
  }
  const serving = serve().catch(() => {})
  const unasked: string[] = []
  const collect = async (): Promise<void> => {
    for await (const text of line.unasked()) unasked.push(text)
  }
  const collecting = collect().catch(() => {})

  const reply = (kind: ReplyKind): void => {
    const one = asked.get(due[0] ?? '')
    if (one === undefined || server.writer.isClosing) return
    due.shift()
    one.repliedWith = kind
    if (kind === 'good') server.writer.write(`re: ${one.text}\r\n`)
    else if (kind === 'too long') server.writer.write(`${'x'.repeat(3 * LIMIT)}\n`)
    else server.writer.write(Buffer.from('ff0a', 'hex'))
  }
  const isQuiet = (): boolean => line.inFlight === 0 && server.writer.bufferedBytes === 0
  const settle = async (): Promise<void> => {
    // Bytes may trickle by one a turn.
    for (let still = 0, seen = -1; still < 12; still++) {
      await loopTurns(1)
      const now = client.bytesRead + client.bytesWritten + server.bytesRead + server.bytesWritten
      if (now !== seen) still = 0
      seen = now
    }
  }

  for (const one of steps) {
    switch (one.do) {
      case 'request': {
        const text = `request ${calls.length}`
        calls.push(text)
        const giveUp = new AbortController()
        const { timeoutMs } = one
        asked.set(text, {
          text,
          giveUp,
          watched: watch(line.request(text, { signal: giveUp.signal, timeoutMs })),
          dueAt: clock.now() + (timeoutMs ?? DEFAULT_TIMEOUT_MS),
          wasAborted: false,
          repliedWith: undefined,
        })
        break
      }
      case 'send':
        calls.push(`send ${calls.length}`)
        void line.send(calls.at(-1) ?? '')
        break
      case 'reply':
        for (const kind of one.kinds) reply(kind)
        break
      case 'push':
        await settle()
        // One that crosses a request on its way would be taken for its reply, by any client.
        if (!isQuiet()) break
        pushed.push(`push ${pushed.length}`)
        server.writer.write(`${pushed.at(-1) ?? ''}\n`)
        await settle()
        break
      case 'abort': {
        const chosen = [...asked.values()][one.which]
        if (chosen === undefined || chosen.watched.state !== 'pending') break
        chosen.giveUp.abort(chosen.text)
        chosen.wasAborted = true
        break
      }
      case 'advance':
        await clock.advance(one.ms)
        break
      case 'turn':
        await loopTurns(one.turns)
        break
    }
  }

  const answerAll = async (): Promise<void> => {
    do {
      await settle()
      while (due.length > 0) reply('good')
      await settle()
    } while (due.length > 0)
  }
  const endedAt = clock.now()
  switch (ending) {
    case 'close': {
      const closing = line.close()
      await answerAll()
      await serving
      await server.close()
      await closing
      break
    }
    case 'fin':
    case 'cut':
      if (ending === 'cut') server.writer.write('cut sho')
      await server.close()
      break
    case 'reset':
      server.abort()
      break
    case 'abort':
      client.abort()
      break
  }
  await client.closed
  await collecting

  // Lines go out in the order of the calls.
  const places = received.map((text) => calls.indexOf(text))
  expect(places).toEqual(places.toSorted((a, b) => a - b))
  expect(places).not.toContain(-1)
  expect(new Set(places).size).toBe(places.length)
  // Nothing that was asked for is called unasked; what was pushed comes in order.
  expect(unasked.filter((text) => text !== 'cut sho')).toEqual(pushed)

  const faults = [...asked.values()].flatMap((one) => faultOf(one, ending, endedAt) ?? [])
  expect(faults).toEqual([])
  const cutShort = [...asked.values()].filter(
    ({ watched }) => watched.error instanceof IncompleteReadError,
  )
  expect(cutShort.length).toBeLessThanOrEqual(ending === 'cut' ? 1 : 0)
  expect(line.inFlight).toBe(0)
}

/** What is wrong with how a request came out. */
function faultOf(one: Asked, ending: Ending, endedAt: number): string | undefined {
  const { text, watched, repliedWith } = one
  const { state, value, error } = watched
  const outcome = state === 'resolved' ? value : `${state} with ${String(error)}`
  const isRight = ((): boolean => {
    if (state === 'pending') return false
    if (state === 'resolved') return value === `re: ${text}` && repliedWith === 'good'
    if (one.wasAborted) return error === text
    if (error instanceof DecodeError) return repliedWith === 'undecodable'
    if (error instanceof LimitOverrunError) return repliedWith === 'too long'
    if (error instanceof TimeoutError) return one.dueAt <= endedAt
    // The end of the connection: what the server had not answered, or what an end at once has destroyed.
    const isEnd = [BrokenError, ClosedError, IncompleteReadError].some(
      (kind) => error instanceof kind,
    )
    if (ending === 'fin' || ending === 'cut') return isEnd && repliedWith === undefined
    return isEnd && ending !== 'close'
  })()
  return isRight ? undefined : `${text}, replied to with ${repliedWith ?? 'nothing'}: ${outcome}`
}

test('LineClient pairs replies with requests, whatever the cut, the aborts and the order of events', async () => {
  await fc.assert(fc.asyncProperty(script, play), { numRuns: 300 })
}, 60_000)
