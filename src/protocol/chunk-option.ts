/** Options that are what a peer is sent, or a function that makes it. */
import type { Chunk } from './framing.js'

/** Whether it can be written. */
export function isChunk(value: unknown): value is Chunk {
  return typeof value === 'string' || value instanceof Uint8Array
}

/** @throws TypeError for what neither can be written nor is a function; undefined is no option */
export function checkChunkOption(name: string, value: unknown): void {
  if (value === undefined || typeof value === 'function' || isChunk(value)) return
  const given = value === null ? 'null' : typeof value
  throw new TypeError(`${name} must be a string, a Uint8Array or a function, not ${given}`)
}
