/** A stream that breaks one promise: a real Connection of which one or two members are replaced. */
import type { ByteReader, ByteStream, ByteWriter } from '../../../src/testing/index.js'

export interface Mutant {
  /** What it does wrong. */
  readonly name: string
  /** The rules that must say so, each of them. */
  readonly breaks: readonly string[]
  readonly mutate: (stream: ByteStream) => ByteStream
}

/** A mutant whose reader alone differs. */
export function mutateReader(
  change: (reader: ByteReader, stream: ByteStream) => Partial<ByteReader>,
): Mutant['mutate'] {
  return (stream) =>
    replace(stream, { reader: replace(stream.reader, change(stream.reader, stream)) })
}

/** A mutant whose writer alone differs. */
export function mutateWriter(
  change: (writer: ByteWriter, stream: ByteStream) => Partial<ByteWriter>,
): Mutant['mutate'] {
  return (stream) =>
    replace(stream, { writer: replace(stream.writer, change(stream.writer, stream)) })
}

/** The same object with some members replaced; its private fields still work, which a derived one's would not. */
export function replace<T extends object>(original: T, changed: Partial<T>): T {
  return new Proxy(original, {
    get(target, key) {
      if (key in changed) return Reflect.get(changed, key) as unknown
      const value: unknown = Reflect.get(target, key)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

/** Turns what `call` rejects with into something else. */
export async function rescue<T>(
  call: Promise<T>,
  code: string,
  instead: (error: RuleError) => T | Promise<T>,
): Promise<T> {
  try {
    return await call
  } catch (error) {
    if ((error as RuleError).code === code) return await instead(error as RuleError)
    throw error
  }
}

export interface RuleError extends Error {
  readonly code: string
  readonly partial: Buffer
}

/** Writes on the next turn, if that is still possible. */
export function writeLater(writer: ByteWriter, data: string | Uint8Array): void {
  setImmediate(() => {
    if (!writer.isClosing) writer.write(data)
  })
}

/** Never settles. */
export function forever<T>(): Promise<T> {
  return new Promise<T>(() => {})
}
