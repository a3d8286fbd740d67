/**
 * One sentence holds for any bytes: what the server sends is a row of well-formed answers, to the requests that a slow
 * model of the RFC finds in those bytes, each once and in order; and where the bytes are none, it refuses once and ends.
 * Never a crash, a hang, a reset, or a second meaning.
 *
 * Seeded, so that a failure comes again. `STANDPIPE_FUZZ_RUNS` makes it longer and picks another seed: see tools/fuzz-http.mjs.
 */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cut, cuts } from '../support/bytes.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { parseReplies } from '../support/http-replies.js'
import { readRequests } from '../support/http-model.js'
import { mutated, wellFormed } from '../support/http-requests.js'
import { exchange, type Exchange } from './conformance/exchange.js'
import { compareWithModel } from './conformance/meaning.js'

guardAgainstLeaks()

const asked = Number(process.env['STANDPIPE_FUZZ_RUNS'] ?? 0)
const RUNS = asked > 0 ? asked : 600
const SEED = asked > 0 ? Number(process.env['STANDPIPE_FUZZ_SEED'] ?? Date.now()) : 20_260
const parameters = { numRuns: RUNS, seed: SEED }
const TIMEOUT_MS = 20_000 + RUNS * 50

const ways = fc.record({ sizes: cuts(), ends: fc.boolean(), isLate: fc.boolean() })

/** Sends the text, and gives what the model has to say against what came. */
async function faultsOf(
  text: string,
  { sizes, ends, isLate }: { sizes: readonly number[]; ends: boolean; isLate: boolean },
): Promise<string[]> {
  const pieces = cut(Buffer.from(text, 'latin1'), sizes)
  const after = ends ? 'end' : undefined
  const got = await exchange(pieces, { isLate, ...(after === undefined ? {} : { after }) })
  return compareWithModel(readRequests(text, { ended: ends }), got)
}

describe('startHttpServer()', () => {
  test(
    `answers each of ${RUNS} rows of well-formed requests, however they are cut`,
    async () => {
      const property = fc.asyncProperty(wellFormed, ways, async (text, way) => {
        expect(await faultsOf(text, way)).toEqual([])
      })
      await fc.assert(property, parameters)
    },
    TIMEOUT_MS,
  )

  test(
    `answers or refuses each of ${RUNS} rows of requests that were tampered with`,
    async () => {
      const property = fc.asyncProperty(mutated, ways, async (text, way) => {
        expect(await faultsOf(text, way)).toEqual([])
      })
      await fc.assert(property, parameters)
    },
    TIMEOUT_MS,
  )

  test(
    `has one meaning for each of ${RUNS} rows of bytes, however they are cut`,
    async () => {
      const twoWays = fc.tuple(ways, cuts())
      await fc.assert(
        fc.asyncProperty(mutated, twoWays, async (text, [one, sizes]) => {
          const bytes = Buffer.from(text, 'latin1')
          const options = one.ends ? ({ after: 'end' } as const) : {}
          const first = await exchange(cut(bytes, one.sizes), options)
          const second = await exchange(cut(bytes, sizes), options)
          expect(summary(second)).toEqual(summary(first))
        }),
        parameters,
      )
    },
    TIMEOUT_MS,
  )
})

function summary({ seen, bytes, left }: Exchange): object {
  const { replies, rest } = parseReplies(bytes, seen, left !== 'open')
  const statuses = replies.map(({ status }) => status)
  return { seen, statuses, left, rest: rest.toString('latin1') }
}
