/**
 * Durations, sizes and counts as people write them: `500ms 5s 2m 1h`, `64k 1m`, plain bytes.
 *
 * A duration without a unit is refused rather than guessed: in one tool `5` is seconds, in another milliseconds.
 */
import { UsageError } from './usage-error.js'

const MS_PER_UNIT: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
const BYTES_PER_UNIT: Readonly<Record<string, number>> = {
  '': 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
}

/** What a timer of Node can wait for: 2^31 - 1 ms, almost 25 days. */
const LONGEST_MS = 2 ** 31 - 1

/** What a duration may be beyond a time above 0. */
export interface DurationRules {
  /** `off` is Infinity. @default false */
  off?: boolean
  /** `0s` is taken. @default false */
  zero?: boolean
}

/**
 * A duration in milliseconds.
 * @throws UsageError when it is none, has no unit, is 0 or `off` where that has no meaning, or passes 24 days
 */
export function parseDuration(text: string, rules: DurationRules = {}): number {
  const examples = `500ms, 5s, 2m or 1h${rules.off === true ? ', or off' : ''}`
  if (text === 'off' && rules.off === true) return Infinity
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim())
  if (match === null) throw new UsageError(`'${text}' is no duration`, `Write ${examples}.`)
  const [, digits = '', unit = ''] = match
  if (unit === '') {
    throw new UsageError(`'${text}' has no unit`, `Write ${digits}s or ${digits}ms: ${examples}.`)
  }
  const perUnit = MS_PER_UNIT[unit.toLowerCase()]
  if (perUnit === undefined) {
    throw new UsageError(`'${text}' has an unknown unit, '${unit}'`, `Write ${examples}.`)
  }
  const ms = Math.round(Number(digits) * perUnit)
  if (ms === 0 && rules.zero !== true) {
    const instead = rules.off === true ? 'To switch it off write off.' : `Write ${examples}.`
    throw new UsageError(`'${text}' is no time at all`, instead)
  }
  if (ms > LONGEST_MS) {
    const orOff = rules.off === true ? ', or off for no bound' : ''
    throw new UsageError(`'${text}' is too long`, `Write at most 596h${orOff}.`)
  }
  return ms
}

/**
 * A size in bytes, 1 or above.
 * @throws UsageError when it is none
 */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmg]?)(?:i?b)?$/i.exec(text.trim())
  const [, digits = '', unit = ''] = match ?? []
  const bytes = Number(digits) * (BYTES_PER_UNIT[unit.toLowerCase()] ?? NaN)
  if (match === null || !Number.isSafeInteger(bytes) || bytes < 1) {
    throw new UsageError(`'${text}' is no size`, 'Write bytes, as 65536, or 64k or 1m.')
  }
  return bytes
}

/**
 * A number of things, 1 or above; `off` is Infinity.
 * @throws UsageError when it is none
 */
export function parseCount(text: string): number {
  if (text === 'off') return Infinity
  const count = /^\d+$/.test(text.trim()) ? Number(text) : NaN
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new UsageError(`'${text}' is no number of connections`, 'Write 1 or above, or off.')
  }
  return count
}

/**
 * How often something is tried again, 0 or above; `forever` is Infinity.
 * @throws UsageError when it is none
 */
export function parseRetries(text: string): number {
  if (text === 'forever') return Infinity
  const retries = /^\d+$/.test(text.trim()) ? Number(text) : NaN
  if (!Number.isSafeInteger(retries)) {
    throw new UsageError(`'${text}' is no number of retries`, 'Write 0 or above, or forever.')
  }
  return retries
}

/**
 * A share, from 0 to 1.
 * @throws UsageError when it is none
 */
export function parseProbability(text: string): number {
  const share = /^\d*\.?\d+$/.test(text.trim()) ? Number(text) : NaN
  if (!(share >= 0 && share <= 1)) {
    throw new UsageError(`'${text}' is no share`, 'Write a number from 0 to 1, such as 0.1.')
  }
  return share
}

/**
 * A seed: any whole number, 0 or above.
 * @throws UsageError when it is none
 */
export function parseSeed(text: string): number {
  const seed = /^\d+$/.test(text.trim()) ? Number(text) : NaN
  if (!Number.isSafeInteger(seed)) {
    throw new UsageError(`'${text}' is no seed`, 'Write a whole number, 0 or above.')
  }
  return seed
}
