/**
 * Framings: how a stream of bytes is cut into messages, and how a message becomes bytes.
 *
 * The interface is small on purpose: users implement it for protocols of their own.
 */

/** What a framing sees of the bytes that have arrived: it looks, and takes whole frames off the front. */
export interface FrameSource {
  /** How many bytes there are. */
  readonly size: number
  /** The byte at an index below `size`. */
  byteAt(index: number): number
  /** The index of the first match, or -1. Asked again after more bytes have come, it looks at those only. */
  indexOf(needle: number | Buffer): number
  /** The first `count` bytes, left where they are. */
  peek(count: number): Buffer
  /** Takes the first `count` bytes. */
  take(count: number): Buffer
  /** Drops the first `count` bytes. */
  skip(count: number): void
  /** The received block in which the first byte lies: for scanning without a copy. Empty when there is none. */
  readonly front: Buffer
  /** Where in `front` the first byte lies. From there to its end `front` holds no byte that is not part of the source. */
  readonly frontStart: number
}

/** What `write` takes, and what a framing makes of a value. */
export type Chunk = string | Uint8Array

/** How messages of type `Value` lie in a stream of bytes. `reader.readFrame` and `writer.writeFrame` take one. */
export interface Framing<Value> {
  /**
   * Takes the first whole frame off `source` and gives its value; gives undefined, with nothing taken, while
   * more bytes are needed. `null` is not a value: it stands for the end of input.
   *
   * @throws a StandpipeError when the bytes break the framing's rules. What it took off before is gone.
   */
  decode(source: FrameSource): Value | undefined
  /** The bytes of one frame. */
  encode(value: Value): Chunk | readonly Chunk[]
  /** How many bytes may wait for a frame to become whole; past it the read is a LimitOverrunError. @default 8 MiB */
  readonly maxBytes?: number
  /** Whether `messageMs` is all the time that a frame has, as for a line, and its length earns it none. @default false */
  readonly isTimedAsLine?: boolean
  /**
   * Whether frames are pieces of a message that has begun, which the stop of a server lets one read to its end, as it
   * does raw bytes. @default false
   */
  readonly readsPastCut?: boolean
}
