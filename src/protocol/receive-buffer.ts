/**
 * What has arrived and has not been read: chunks go in as they come, slices and lines come out.
 *
 * Work is linear in the bytes: a chunk is copied only when it is tiny or when a slice spans several, a search
 * goes on where the last one stopped, and lines of text are cut from a block that was decoded once.
 * It knows nothing of promises, limits on lines, or ends of input.
 *
 * Invariant: `size` is exact for bytes; the text that was decoded ahead of the reader counts as unread until
 * it is cut off.
 */
import { isUtf8 } from 'node:buffer'

const LF = 10
const CR = 13

/** Chunks up to this size are gathered, so that a peer that drips bytes cannot make us keep an object for each. */
const TINY_CHUNK_BYTES = 2048
const GATHER_BYTES = 16 * 1024

/** How far ahead lines are decoded after decoded ones had to be dropped: arbitrary, and cheap to do again. */
const SHORT_AHEAD_BYTES = 256

const EMPTY = Buffer.alloc(0)

/** How the bytes of lines become text: `latin1` maps each byte to one character and cannot fail. */
export type TextEncoding = 'utf8' | 'latin1'

export class ReceiveBuffer {
  /** The blocks, oldest first; those before `#head` are spent. */
  #blocks: Buffer[] = []
  #head = 0
  /** How much of the head block is spent. */
  #offset = 0
  #size = 0
  /** The block that tiny chunks are gathered in, and how full it is: always the last of `#blocks`. */
  #gather: Buffer | undefined
  #gathered = 0

  /** Whole lines of the head block, decoded, from its byte `#offset` on; `''` when there are none. */
  #text = ''
  #textAt = 0
  /** How far `#text` has been counted off `#size`: it trails `#textAt`. */
  #textSettled = 0
  #textEncoding: TextEncoding = 'utf8'
  /** Whether every character of `#text` is one byte. */
  #textIsNarrow = true
  #textBytes = 0
  /**
   * How many bytes of lines are decoded ahead at most. Short after decoded lines were dropped because bytes
   * were taken in between, so that such a mix stays linear; doubled whenever all that was decoded was wanted.
   */
  #ahead = Infinity
  /** Bytes from the start whose lines cannot be decoded together, because one of them is not valid UTF-8. */
  #undecodable = 0

  /** How many bytes from the start are known not to begin a match of `#needle`. */
  #searched = 0
  #needle: number | Buffer | undefined

  /** Bytes that are stored and unread. */
  get size(): number {
    if (this.#textAt !== this.#textSettled) this.#settleText()
    return this.#size
  }

  /** The same, perhaps too high by what was cut from one block. Never too low, and free of cost. */
  get roughSize(): number {
    return this.#size
  }

  /** Stores a chunk. It now belongs to the buffer. */
  push(chunk: Buffer): void {
    if (chunk.length === 0) return
    this.#size += chunk.length
    const last = this.#blocks.length - 1
    if (chunk.length <= TINY_CHUNK_BYTES && last >= this.#head) {
      this.#gatherTiny(chunk, last)
      return
    }
    this.#gather = undefined
    this.#blocks.push(chunk)
  }

  #gatherTiny(chunk: Buffer, last: number): void {
    let gather = this.#gather
    if (gather === undefined || this.#gathered + chunk.length > gather.length) {
      const tail = this.#blocks[last] as Buffer
      const fresh = Buffer.allocUnsafeSlow(GATHER_BYTES)
      if (gather === undefined && tail.length <= TINY_CHUNK_BYTES) {
        this.#gathered = tail.copy(fresh)
        this.#blocks.length = last
      } else {
        this.#gathered = 0
      }
      this.#gather = gather = fresh
    } else {
      this.#blocks.length = last
    }
    this.#gathered += chunk.copy(gather, this.#gathered)
    this.#blocks.push(gather.subarray(0, this.#gathered))
  }

  /** Forgets everything. */
  clear(): void {
    this.#dropText()
    this.#blocks = []
    this.#head = 0
    this.#offset = 0
    this.#size = 0
    this.#gather = undefined
    this.#undecodable = 0
    this.#searched = 0
  }

  /** Moves everything that another buffer holds behind what this one holds. */
  absorb(other: ReceiveBuffer): void {
    while (other.size > 0) this.push(other.takeBlock(Infinity))
  }

  /** The byte at an index below `size`. */
  byteAt(index: number): number {
    if (this.#textAt !== this.#textSettled) this.#settleText()
    let at = this.#offset + index
    for (let i = this.#head; i < this.#blocks.length; i++) {
      const block = this.#blocks[i] as Buffer
      if (at < block.length) return block[at] as number
      at -= block.length
    }
    throw new RangeError(`byte ${index} is not among the ${this.#size} that are buffered`)
  }

  /** The block in which the first byte lies; empty when there is none. */
  get front(): Buffer {
    if (this.#textAt !== this.#textSettled) this.#settleText()
    return this.#blocks[this.#head] ?? EMPTY
  }

  /** Where in `front` the first byte lies. */
  get frontStart(): number {
    if (this.#textAt !== this.#textSettled) this.#settleText()
    return this.#offset
  }

  /** The last byte. Only when `size` is above 0. */
  lastByte(): number {
    const block = this.#blocks[this.#blocks.length - 1] as Buffer
    return block[block.length - 1] as number
  }

  /** The first `count` bytes, left where they are: a view where they lie in one block, else a copy. */
  peek(count: number): Buffer {
    if (this.#textAt !== this.#textSettled) this.#settleText()
    return this.#range(0, Math.min(count, this.#size))
  }

  /** Takes the first `count` bytes (all of them when there are fewer): a view where they lie in one block, else a copy. */
  take(count: number): Buffer {
    const bytes = this.peek(count)
    this.skip(bytes.length)
    return bytes
  }

  /** Takes what the first block still holds, at most `maxBytes`: never a copy. */
  takeBlock(maxBytes: number): Buffer {
    if (this.#textAt !== this.#textSettled) this.#settleText()
    const block = this.#blocks[this.#head]
    if (block === undefined) return EMPTY
    const bytes = block.subarray(this.#offset, this.#offset + Math.min(maxBytes, block.length))
    this.skip(bytes.length)
    return bytes
  }

  /** Drops the first `count` bytes. */
  skip(count: number): void {
    if (this.#text !== '') {
      if (this.#skipInText(count)) return
      // What is skipped with the last of it was not decoded in vain.
      if (count >= this.#textBytes) this.#forgetText()
      else this.#dropText()
    }
    let rest = Math.min(count, this.#size)
    this.#size -= rest
    this.#searched = Math.max(0, this.#searched - rest)
    this.#undecodable = Math.max(0, this.#undecodable - rest)
    while (rest > 0) {
      const left = (this.#blocks[this.#head] as Buffer).length - this.#offset
      if (rest < left) {
        this.#offset += rest
        return
      }
      rest -= left
      this.#dropHead()
    }
  }

  /** Drops bytes of the decoded lines, which stay decoded: bytes may be read between the lines of one block. */
  #skipInText(count: number): boolean {
    if (this.#textAt !== this.#textSettled) this.#settleText()
    if (count >= this.#textBytes) return false
    let units = count
    if (!this.#textIsNarrow) {
      const block = this.#blocks[this.#head] as Buffer
      const next = block[this.#offset + count] as number
      const isInsideCharacter = next >= 0x80 && next < 0xc0
      if (isInsideCharacter) return false
      units = block.toString('utf8', this.#offset, this.#offset + count).length
    }
    this.#textAt += units
    this.#textSettled = this.#textAt
    this.#textBytes -= count
    this.#size -= count
    this.#offset += count
    this.#searched = Math.max(0, this.#searched - count)
    this.#undecodable = Math.max(0, this.#undecodable - count)
    return true
  }

  /**
   * The index of the first match of `needle` (a byte or a sequence of bytes), or -1. Asked again for the same
   * needle after more bytes have come, it looks at those only. `from`: the caller knows that none begins before.
   */
  indexOf(needle: number | Buffer, from = 0): number {
    if (this.#textAt !== this.#textSettled) this.#settleText()
    if (!sameNeedle(this.#needle, needle)) {
      this.#needle = needle
      this.#searched = from
    }
    const overlap = typeof needle === 'number' ? 0 : needle.length - 1
    let blockStart = -this.#offset
    for (let i = this.#head; i < this.#blocks.length; i++) {
      const block = this.#blocks[i] as Buffer
      const blockEnd = blockStart + block.length
      if (this.#searched < blockEnd) {
        const found = block.indexOf(needle, Math.max(0, this.#searched - blockStart))
        if (found >= 0) return this.#foundAt(blockStart + found)
        if (overlap > 0 && blockEnd < this.#size) {
          const start = Math.max(this.#searched, blockEnd - overlap)
          const end = Math.min(this.#size, blockEnd + overlap)
          const across = this.#range(start, end).indexOf(needle)
          if (across >= 0) return this.#foundAt(start + across)
        }
        this.#searched = Math.max(this.#searched, blockEnd - overlap)
      }
      blockStart = blockEnd
    }
    return -1
  }

  #foundAt(index: number): number {
    this.#searched = index
    return index
  }

  /**
   * Cuts the next whole line off, without its LF or CRLF (with it when `keepTerminator`), from a block whose
   * lines were decoded together. Undefined when that cannot be done: no whole line in the first block, or a
   * line that is not valid UTF-8; `indexOf` and `take` then tell which.
   */
  takeTextLine(encoding: TextEncoding, keepTerminator: boolean): string | undefined {
    if (this.#text === '' || this.#textEncoding !== encoding) {
      if (!this.#decodeLines(encoding)) return undefined
    }
    const text = this.#text
    const start = this.#textAt
    const end = text.indexOf('\n', start)
    this.#textAt = end + 1
    const line = keepTerminator
      ? text.slice(start, end + 1)
      : text.slice(start, end > start && text.charCodeAt(end - 1) === CR ? end - 1 : end)
    if (end + 1 === text.length) this.#settleText()
    return line
  }

  /**
   * The same for every whole line of the first block at once, up to one that is longer than `limit` bytes, its
   * terminator not counted. Undefined also when the first one is.
   */
  takeTextLines(
    encoding: TextEncoding,
    keepTerminator: boolean,
    limit: number,
  ): string[] | undefined {
    if (this.#text === '' || this.#textEncoding !== encoding) {
      if (!this.#decodeLines(encoding)) return undefined
    }
    if (keepTerminator || this.#textBytes > limit) {
      return this.#takeFittingLines(keepTerminator, limit)
    }
    const lines = this.#text.slice(this.#textAt, -1).split('\n')
    if (this.#text.includes('\r', this.#textAt)) {
      for (const [i, line] of lines.entries()) {
        if (line.endsWith('\r')) lines[i] = line.slice(0, -1)
      }
    }
    this.#textAt = this.#text.length
    this.#settleText()
    return lines
  }

  #takeFittingLines(keepTerminator: boolean, limit: number): string[] | undefined {
    const text = this.#text
    const allFit = this.#textBytes <= limit
    const lines: string[] = []
    let at = this.#textAt
    while (at < text.length) {
      const lf = text.indexOf('\n', at)
      const end = lf > at && text.charCodeAt(lf - 1) === CR ? lf - 1 : lf
      const line = keepTerminator ? text.slice(at, lf + 1) : text.slice(at, end)
      if (!allFit && !this.fits(keepTerminator ? text.slice(at, end) : line, limit)) break
      lines.push(line)
      at = lf + 1
    }
    if (lines.length === 0) return undefined
    this.#textAt = at
    if (at === text.length) this.#settleText()
    return lines
  }

  /** Whether `line`, just cut, is at most `limit` bytes long. */
  fits(line: string, limit: number): boolean {
    if (line.length > limit) return false
    return line.length * 3 <= limit || this.#textIsNarrow || Buffer.byteLength(line) <= limit
  }

  #decodeLines(encoding: TextEncoding): boolean {
    this.#dropText()
    const block = this.#blocks[this.#head]
    if (block === undefined) return false
    const start = this.#offset
    if (encoding === 'utf8' && this.#undecodable > 0) return false
    if (this.#needle !== LF) {
      this.#needle = LF
      this.#searched = 0
    }
    if (this.#searched > 0 && block.indexOf(LF, start + this.#searched) < 0) {
      this.#searched = Math.max(this.#searched, block.length - start)
      return false
    }
    const end = this.#endOfLines(block, start)
    if (end <= start) {
      this.#searched = block.length - start
      return false
    }
    const bytes = end - start
    // Unsaid it is UTF-8 too, without a look at the name.
    const text = block.toString(encoding === 'utf8' ? undefined : encoding, start, end)
    this.#textIsNarrow = text.length === bytes
    if (encoding === 'utf8') {
      const suspicious = this.#textIsNarrow ? text.includes('\uFFFD') : true
      if (suspicious && !isUtf8(block.subarray(start, end))) {
        this.#undecodable = bytes
        return false
      }
    }
    this.#text = text
    this.#textEncoding = encoding
    this.#textBytes = bytes
    return true
  }

  /** Where the last line ends that is to be decoded with the first; not behind `start` when no line is whole. */
  #endOfLines(block: Buffer, start: number): number {
    const ahead = this.#ahead
    if (block.length - start > ahead) {
      const near = block.subarray(start, start + ahead).lastIndexOf(LF)
      return near >= 0 ? start + near + 1 : block.indexOf(LF, start + ahead) + 1
    }
    return block[block.length - 1] === LF ? block.length : block.lastIndexOf(LF) + 1
  }

  /** Counts the lines that were cut off `#text` as read. */
  #settleText(): void {
    const text = this.#text
    const at = this.#textAt
    const whole = at === text.length
    const bytes = whole
      ? this.#textBytes
      : this.#textIsNarrow
        ? at - this.#textSettled
        : Buffer.byteLength(text.slice(this.#textSettled, at))
    this.#textSettled = at
    this.#textBytes -= bytes
    this.#size -= bytes
    this.#offset += bytes
    this.#searched = Math.max(0, this.#searched - bytes)
    this.#undecodable = Math.max(0, this.#undecodable - bytes)
    if (whole) {
      this.#ahead *= 2
      this.#forgetText()
    }
    if (this.#offset === (this.#blocks[this.#head] as Buffer).length) this.#dropHead()
  }

  #dropText(): void {
    if (this.#text === '') return
    if (this.#textAt !== this.#textSettled) this.#settleText()
    this.#ahead = SHORT_AHEAD_BYTES
    this.#forgetText()
  }

  #forgetText(): void {
    this.#text = ''
    this.#textAt = 0
    this.#textSettled = 0
    this.#textBytes = 0
  }

  #dropHead(): void {
    this.#offset = 0
    this.#head++
    if (this.#head === this.#blocks.length) {
      // Most hold one block at a time, and cutting an array to a length is many times as slow.
      if (this.#head === 1) this.#blocks.pop()
      else this.#blocks = []
      this.#head = 0
      this.#gather = undefined
    } else if (this.#head >= 32) {
      this.#blocks = this.#blocks.slice(this.#head)
      this.#head = 0
    }
  }

  #range(from: number, to: number): Buffer {
    let start = this.#offset + from
    const length = to - from
    if (length <= 0) return EMPTY
    let i = this.#head
    let block = this.#blocks[i] as Buffer
    while (start >= block.length) {
      start -= block.length
      block = this.#blocks[++i] as Buffer
    }
    if (start + length <= block.length) return block.subarray(start, start + length)
    const joined = Buffer.allocUnsafe(length)
    let filled = block.copy(joined, 0, start)
    while (filled < length) {
      block = this.#blocks[++i] as Buffer
      filled += block.copy(joined, filled)
    }
    return joined
  }
}

function sameNeedle(a: number | Buffer | undefined, b: number | Buffer): boolean {
  return a === b || (typeof a === 'object' && typeof b === 'object' && a.equals(b))
}
