/** How a memory pair behaves, and how its operations are made to fail. */

import { checkCount } from '../concurrency/check-count.js'

/** One operation of a memory transport, as a test that makes operations fail sees it. */
export interface MemoryOperation {
  /** Which of the two transports does it: 0 is the first of the pair. */
  readonly side: 0 | 1
  readonly name: 'read' | 'write' | 'shutdown' | 'reset'
  /** Counted from 1 over both transports of the pair. */
  readonly nth: number
}

/** How a memory pair behaves. */
export interface MemoryTransportOptions {
  /**
   * Bytes that are under way in each direction at most; two numbers: from the first to the second, and back.
   * @default 65536
   */
  bufferBytes?: number | readonly [number, number]
  /** Start with both directions taking nothing, until `unclog()`. @default false */
  clogged?: boolean
  /**
   * How many of the `available` bytes the next chunk has. Answers outside 1…available are brought inside,
   * and a chunk never has more than 64 KiB. @default all
   */
  cut?: (available: number) => number
  /**
   * Asked before each operation: the errno code that it is to fail with (`'ECONNRESET'`), or undefined.
   * A failed read or write breaks its transport as on node:net, a failed reset throws.
   */
  intercept?: (operation: MemoryOperation) => string | undefined
  /** The address of the first and of the second transport. @default absent, which is legal */
  addresses?: readonly [MemoryAddress, MemoryAddress]
}

/** What a memory transport says its address is. */
export interface MemoryAddress {
  readonly host: string
  readonly port: number
}

/**
 * An `intercept` that lets the `nth` operation of the pair (from 1) fail with an errno code, and no other.
 * @throws RangeError for an `nth` that is no whole number above 0, TypeError for a code that is no text
 */
export function failNth(
  nth: number,
  code: string,
): NonNullable<MemoryTransportOptions['intercept']> {
  checkCount('nth', nth)
  if (typeof code !== 'string') throw new TypeError(`code must be a text, not ${typeof code}`)
  return (operation) => (operation.nth === nth ? code : undefined)
}
