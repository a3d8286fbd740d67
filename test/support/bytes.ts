/** Bytes for property tests: awkward inputs, and ways to cut them into chunks. */
import * as fc from 'fast-check'

/** What line and text readers trip over: terminators and their halves, NUL, broken and split characters. */
const AWKWARD = [
  '\n',
  '\r\n',
  '\r',
  '\r\r\n',
  '\n\n',
  '\0',
  'a',
  'bc',
  'ä',
  '€',
  '😀',
  '\ufeff',
  '\ufffd',
  'twelve bytes',
].map((text) => Buffer.from(text))

const INVALID = ['ff', 'c3', 'e282', 'f09f98', '80', 'eda080', 'c0af'].map((hex) =>
  Buffer.from(hex, 'hex'),
)

/** Blocks of this size are kept apart by the receive buffer, which gathers smaller ones. */
export const LONG_BLOCK_BYTES = 2500

/** Pieces of text and of what is none. */
export function awkwardBytes(
  options: { maxLength?: number; validOnly?: boolean } = {},
): fc.Arbitrary<Buffer> {
  const piece = fc.constantFrom(...AWKWARD, ...(options.validOnly === true ? [] : INVALID))
  return fc
    .array(piece, { maxLength: options.maxLength ?? 40, size: 'max' })
    .map((pieces) => shown(Buffer.concat(pieces)))
}

/** Bytes with long stretches in them, so that chunks of them are long too. */
export function longAwkwardBytes(): fc.Arbitrary<Buffer> {
  const stretch = fc
    .tuple(fc.constantFrom('x', 'é', '\n'), fc.integer({ min: 1, max: 2 * LONG_BLOCK_BYTES }))
    .map(([text, count]) => Buffer.from(text.repeat(count)))
  const short = awkwardBytes({ maxLength: 12 })
  return fc
    .array(fc.oneof({ weight: 3, arbitrary: short }, { weight: 1, arbitrary: stretch }), {
      maxLength: 12,
      size: 'max',
    })
    .map((parts) => shown(Buffer.concat(parts)))
}

/** The same bytes, which a report of a counterexample shows as text, with long runs shortened. */
function shown(bytes: Buffer): Buffer {
  const toString = (): string =>
    JSON.stringify(bytes.toString('latin1')).replaceAll(
      /(?<unit>.{1,2})\k<unit>{20,}/g,
      (run, unit: string) => `<${unit} x ${run.length / unit.length}>`,
    )
  return Object.defineProperty(bytes, fc.toStringMethod, { value: toString })
}

/** How bytes are cut into chunks: sizes that are used in turn, over and over. */
export function cuts(): fc.Arbitrary<number[]> {
  const short = fc.integer({ min: 1, max: 9 })
  const long = fc.integer({ min: LONG_BLOCK_BYTES - 500, max: LONG_BLOCK_BYTES + 500 })
  return fc.oneof(
    fc.array(short, { minLength: 1, maxLength: 6 }),
    fc.array(long, { minLength: 1, maxLength: 3 }),
    fc.array(fc.oneof(short, long), { minLength: 1, maxLength: 6 }),
  )
}

/** The bytes in chunks of these sizes; each chunk is a copy, as a received one is. */
export function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = []
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] as number
    chunks.push(Buffer.from(bytes.subarray(at, at + size)))
    at += size
  }
  return chunks
}

/** Every way to cut bytes once, and byte by byte, and not at all: for short inputs. */
export function everyCut(bytes: Buffer): Buffer[][] {
  const ways = [[bytes], cut(bytes, [1])]
  for (let at = 1; at < bytes.length; at++) ways.push([bytes.subarray(0, at), bytes.subarray(at)])
  return ways
}
