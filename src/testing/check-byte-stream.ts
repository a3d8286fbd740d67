/**
 * A conformance checker for streams: every promise that the docs make about reading, writing and ending, each
 * as a rule with a name, tried on fresh pairs of the stream under test. It needs no test runner.
 *
 * It judges by behaviour alone, and it ends: a rule has its own time, and each pair is aborted after its rule.
 * (The idea is that of trio's `check_two_way_stream`.)
 */
import { systemClock } from '../concurrency/clock.js'
import type { ByteStreamPair, MakeByteStreamPair } from './byte-stream.js'
import { endingRules } from './ending-rules.js'
import { lineRules } from './line-rules.js'
import { pressureRules } from './pressure-rules.js'
import { readingRules } from './reading-rules.js'
import type { Rule } from './rule.js'
import { waitingRules } from './waiting-rules.js'
import { writingRules } from './writing-rules.js'

const rules: readonly Rule[] = [
  ...readingRules,
  ...lineRules,
  ...waitingRules,
  ...writingRules,
  ...pressureRules,
  ...endingRules,
]

/** The name of every rule, in the order in which they are checked. */
export const BYTE_STREAM_RULES: readonly string[] = rules.map((rule) => rule.name)

/** What is known about the streams, and how long a rule may take. */
export interface CheckByteStreamOptions {
  /** The longest line that the streams take, in bytes. @default 65536 */
  limit?: number
  /** The cap on what a writer keeps, in bytes. @default 1048576 */
  maxBufferedBytes?: number
  /** How long one rule may take in each direction, in milliseconds of real time. @default 5000 */
  ruleTimeoutMs?: number
  /** Checks only the rules with these names. @default all */
  only?: readonly string[]
}

/** What came of one rule. */
export interface RuleResult {
  /** The rule's name: the promise as a sentence. */
  readonly rule: string
  /** `skipped`: it needs a pair that clogs, and there is no maker of one. */
  readonly outcome: 'kept' | 'broken' | 'skipped'
  /** How it was broken. */
  readonly error?: Error
}

/** At least one rule is broken. `errors` has one error for each, in the order of the rules. */
export class BrokenRulesError extends AggregateError {
  /** What came of each rule that was checked. */
  readonly results: readonly RuleResult[]

  constructor(results: readonly RuleResult[]) {
    const broken = results.filter((result) => result.outcome === 'broken')
    super(
      broken.map((result) => result.error),
      [
        `${broken.length} of ${results.length} rules are broken:`,
        ...broken.map((result) => `  ${result.rule}: ${result.error?.message ?? ''}`),
      ].join('\n'),
    )
    this.name = 'BrokenRulesError'
    this.results = results
  }

  /** The names of the rules that are broken. */
  get brokenRules(): string[] {
    return this.results.filter((result) => result.outcome === 'broken').map((result) => result.rule)
  }
}

/**
 * Checks that streams keep what a Connection promises; resolves with what came of each rule when none is broken.
 * Each rule gets two fresh pairs, and is tried in both directions.
 *
 * `makePair` makes two streams that are connected. `makeCloggedPair` makes two that take only so much, 64 MiB
 * at most, while nobody reads; without it the rules about such a peer are skipped. For both, a `read` with
 * `timeoutMs` must go by real time, and the settings of `options` must be those of the streams.
 *
 * ```ts
 * // import { checkByteStream, connectionPair, systemClock } from 'standpipe/testing'
 * await checkByteStream(() => {
 *   const { client, server } = connectionPair({ clock: systemClock })
 *   return [client, server]
 * })
 * ```
 *
 * @throws BrokenRulesError that names each rule that is broken, and how
 * @throws TypeError for a `makePair` that is no function
 * @throws RangeError for a name in `only` that no rule has
 */
export async function checkByteStream(
  makePair: MakeByteStreamPair,
  makeCloggedPair?: MakeByteStreamPair,
  options: CheckByteStreamOptions = {},
): Promise<RuleResult[]> {
  if (typeof makePair !== 'function') {
    throw new TypeError(`makePair must be a function, not ${typeof makePair}`)
  }
  const results: RuleResult[] = []
  for (const rule of chooseRules(options.only)) {
    const make = rule.needsClogging === true ? makeCloggedPair : makePair
    results.push(
      make === undefined
        ? { rule: rule.name, outcome: 'skipped' }
        : await checkRule(rule, make, options),
    )
  }
  if (results.some((result) => result.outcome === 'broken')) throw new BrokenRulesError(results)
  return results
}

function chooseRules(only: readonly string[] | undefined): readonly Rule[] {
  if (only === undefined) return rules
  const unknown = only.filter((name) => !BYTE_STREAM_RULES.includes(name))
  if (unknown.length > 0) throw new RangeError(`no rule has the name "${unknown.join('", "')}"`)
  return rules.filter((rule) => only.includes(rule.name))
}

async function checkRule(
  rule: Rule,
  make: MakeByteStreamPair,
  options: CheckByteStreamOptions,
): Promise<RuleResult> {
  for (const direction of ['forth', 'back'] as const) {
    try {
      await checkOneWay(rule, make, direction, options)
    } catch (error) {
      return { rule: rule.name, outcome: 'broken', error: toError(error) }
    }
  }
  return { rule: rule.name, outcome: 'kept' }
}

async function checkOneWay(
  rule: Rule,
  make: MakeByteStreamPair,
  direction: 'forth' | 'back',
  options: CheckByteStreamOptions,
): Promise<void> {
  const { limit = 64 * 1024, maxBufferedBytes = 1024 * 1024, ruleTimeoutMs = 5_000 } = options
  const pair = await within(ruleTimeoutMs, 'making the pair', async () => make())
  const [a, b] = direction === 'forth' ? pair : [pair[1], pair[0]]
  const failures: unknown[] = []
  const attempt = async (what: string, work: () => Promise<void>): Promise<void> => {
    await within(ruleTimeoutMs, what, work).catch((error: unknown) => failures.push(error))
  }
  await attempt('the rule', async () => rule.check({ a, b, limit, maxBufferedBytes }))
  await attempt('abort() of both ends', async () => abortBoth(pair))
  // The rule's own failure says more than that of the tidying up.
  if (failures.length > 0) throw failures[0]
}

async function abortBoth(pair: ByteStreamPair): Promise<void> {
  for (const stream of pair) stream.abort()
  await Promise.all(pair.map(async (stream) => stream.closed))
}

/** Gives what `work` gives, unless it takes longer than `ms` of real time. */
async function within<T>(ms: number, what: string, work: () => Promise<T>): Promise<T> {
  let timer: unknown
  const late = new Promise<never>((_resolve, reject) => {
    timer = systemClock.setTimeout(() => {
      reject(new Error(`${what} did not come to an end within ${ms} ms`))
    }, ms)
  })
  try {
    return await Promise.race([work(), late])
  } finally {
    systemClock.clearTimeout(timer)
  }
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
