/**
 * Parts of a file, and bytes between them, as the body of a response: read block by block as they are taken, so that
 * a file of any size takes the memory of one block.
 *
 * It opens the file only when the first block is wanted: a body that is never sent (HEAD, a peer that has left) holds
 * no descriptor.
 *
 * Invariant: it gives exactly `length` bytes or throws. A file that has become shorter is never padded.
 */
import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import type { ByteRange } from './byte-range.js'

/** How a file is opened: what was a file when it was looked at may be a link or a pipe by now. */
export const OPEN_FLAGS =
  constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)

/** What is read at once, in bytes. One write to a socket is as much. */
export const BLOCK_BYTES = 64 * 1024

/** Which file it is, whatever its name leads to later. */
export interface FileIdentity {
  readonly path: string
  readonly dev: bigint
  readonly ino: bigint
}

/** A part of a body: a range of the file, or bytes as they are. */
export type BodyPart = ByteRange | Uint8Array

export class FileBody implements AsyncIterable<Uint8Array> {
  /** How many bytes it is. */
  readonly length: number
  readonly #file: FileIdentity
  readonly #parts: readonly BodyPart[]

  constructor(file: FileIdentity, parts: readonly BodyPart[]) {
    this.#file = file
    this.#parts = parts
    this.length = parts.reduce((sum, part) => sum + lengthOf(part), 0)
  }

  /**
   * The bytes, from the beginning. The file is closed at the end, at an error, and when the iteration is left.
   *
   * @throws Error when there is another file by that name now, and when the file has become too short
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    let handle: FileHandle | undefined
    try {
      for (const part of this.#parts) {
        if (part instanceof Uint8Array) {
          yield part
          continue
        }
        handle ??= await this.#open()
        for (let at = part.start; at < part.end;) {
          const block = await this.#read(handle, at, Math.min(BLOCK_BYTES, part.end - at))
          at += block.length
          yield block
        }
      }
    } finally {
      await handle?.close()
    }
  }

  async #open(): Promise<FileHandle> {
    const { path, dev, ino } = this.#file
    const handle = await open(path, OPEN_FLAGS)
    let isSame = false
    try {
      const now = await handle.stat({ bigint: true })
      isSame = now.dev === dev && now.ino === ino
    } finally {
      if (!isSame) await handle.close()
    }
    if (isSame) return handle
    throw new Error(`send ${path}: the file was replaced before it was sent`)
  }

  async #read(handle: FileHandle, position: number, length: number): Promise<Uint8Array> {
    // A block of its own each time: the connection keeps it until it has left.
    const buffer = Buffer.allocUnsafeSlow(length)
    const { bytesRead } = await handle.read(buffer, 0, length, position)
    if (bytesRead === 0) {
      throw new Error(`send ${this.#file.path}: the file became shorter while it was sent`)
    }
    return buffer.subarray(0, bytesRead)
  }
}

function lengthOf(part: BodyPart): number {
  return part instanceof Uint8Array ? part.length : part.end - part.start
}
