/**
 * The ranges of bytes that a request wants of a representation (RFC 9110, section 14). It knows lengths and no bytes.
 *
 * Ranges that overlap, or that lie closer together than the head of a part is long, are joined, so that whatever is
 * asked for the answer is no longer than the whole, its parts' heads apart, and those are bounded in number.
 */
import { trimWhite } from './octets.js'

/** Bytes from `start` up to and without `end`. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** How many ranges one request may ask for; with more it gets the whole. Arbitrary: readers of documents ask for few. */
export const MAX_RANGES = 16

/** About what the head of a part takes: a gap that is smaller is cheaper to send than to leave out. */
const PART_OVERHEAD_BYTES = 80

const SPEC = /^(\d*)-(\d*)$/

/**
 * What a Range field selects of `length` bytes: the ranges, in the order in which they were asked for; `whole` where
 * the field is to be ignored (another unit, bad syntax, too many of them); `unsatisfiable` where none of them has a byte.
 */
export function selectRanges(
  field: string,
  length: number,
  maxRanges: number = MAX_RANGES,
): readonly ByteRange[] | 'whole' | 'unsatisfiable' {
  const [, list] = /^bytes=(.*)$/i.exec(field) ?? []
  if (list === undefined) return 'whole'
  const specs = list
    .split(',')
    .map(trimWhite)
    .filter((spec) => spec !== '')
  if (specs.length === 0 || specs.length > maxRanges) return 'whole'
  const ranges: ByteRange[] = []
  for (const spec of specs) {
    const range = parseSpec(spec, length)
    if (range === 'bad') return 'whole'
    if (range.start < range.end) ranges.push(range)
    // The last bytes of nothing are all of it, and no range can say so.
    else if (length === 0 && spec.startsWith('-') && Number(spec) < 0) return 'whole'
  }
  return ranges.length === 0 ? 'unsatisfiable' : join(ranges)
}

/** A value of Content-Range: which bytes of how many. */
export function describeRange({ start, end }: ByteRange, length: number): string {
  return `bytes ${start}-${end - 1}/${length}`
}

/** A value of Content-Range for 416: only how many there are. */
export function describeUnsatisfiable(length: number): string {
  return `bytes */${length}`
}

/** The range, an empty one where it has no byte. Numbers of any size: what is too large lies behind the end. */
function parseSpec(spec: string, length: number): ByteRange | 'bad' {
  const [, first, last] = SPEC.exec(spec) ?? []
  if (first === undefined || last === undefined || (first === '' && last === '')) return 'bad'
  if (first === '') return { start: Math.max(0, length - Number(last)), end: length }
  if (last === '') return { start: Number(first), end: length }
  if (isLess(last, first)) return 'bad'
  return { start: Number(first), end: Math.min(Number(last) + 1, length) }
}

/** Compares digits, of which there may be more than a number holds. */
function isLess(a: string, b: string): boolean {
  return BigInt(a) < BigInt(b)
}

function join(ranges: readonly ByteRange[]): readonly ByteRange[] {
  if (ranges.length === 1) return ranges
  const joined: { start: number; end: number; order: number }[] = []
  const sorted = ranges
    .map((range, order) => ({ ...range, order }))
    .toSorted((a, b) => a.start - b.start)
  for (const range of sorted) {
    const last = joined.at(-1)
    if (last === undefined || range.start - last.end > PART_OVERHEAD_BYTES) {
      joined.push(range)
    } else {
      last.end = Math.max(last.end, range.end)
      last.order = Math.min(last.order, range.order)
    }
  }
  return joined
    .toSorted((a, b) => a.order - b.order)
    .map(({ start, end }): ByteRange => ({ start, end }))
}
