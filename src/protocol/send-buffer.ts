/**
 * What was written and has not been handed to the transport: text and bytes go in as they are written, and come out as
 * one text, or as slices of bytes. Text stays text as long as it can: handing over a string is cheaper than making
 * bytes of it.
 *
 * It knows nothing of marks, waits or ends.
 *
 * Invariant: `#parts` (bytes, in order) come before `#text` (written later); `#counted` is the exact size of the parts.
 */

/** What leaves in one write: the size up to which one syscall is cheaper per byte, and Node's own read size. */
export const SLICE_BYTES = 64 * 1024
/** Binary data up to this size is copied, so that the caller may use its buffer again. */
const COPY_BYTES = 16 * 1024
/** Pieces up to this size are gathered while they wait. */
const SMALL_BYTES = 2048
/** A UTF-16 unit is at most three bytes of UTF-8. */
const MAX_BYTES_PER_UNIT = 3
/** Strings up to this length fit Node's stack buffer for UTF-8 (16 KiB). */
const SHORT_UNITS = 5461

/** Shared, and so always empty. */
const NO_PARTS: Buffer[] = []

export class SendBuffer {
  /** Strings that were written last, joined; `''` when there are none. */
  #text = ''
  #textEncoding: 'utf8' | 'latin1' = 'utf8'
  /** The exact size of `#text`, or -1 while nobody has needed to know. */
  #textBytes = -1
  /** An array of its own from the first part on: most connections only ever write text. */
  #parts = NO_PARTS
  /** The block of the last part, when small writes are gathered in it, and how full it is. */
  #gather: Buffer | undefined
  #gathered = 0
  #counted = 0

  /** In bytes. To know it may mean to measure the text. */
  get size(): number {
    return this.#counted + (this.#text === '' ? 0 : this.#sizeOfText())
  }

  /** A size that it has at least, free of cost. */
  get leastSize(): number {
    return this.#counted + this.#text.length
  }

  /** A size that it has at most, likewise. */
  get mostSize(): number {
    return this.#counted + this.#text.length * MAX_BYTES_PER_UNIT
  }

  get isEmpty(): boolean {
    return this.#text === '' && this.#parts.length === 0
  }

  /** Whether there are bytes before the text. */
  get hasParts(): boolean {
    return this.#parts.length > 0
  }

  appendText(data: string, encoding: 'utf8' | 'latin1'): void {
    if (data === '') return
    if (this.#text === '') {
      this.#text = data
      this.#textEncoding = encoding
      return
    }
    if (encoding !== this.#textEncoding) {
      this.#turnTextIntoPart()
      this.#text = data
      this.#textEncoding = encoding
      return
    }
    this.#text += data
    if (this.#textBytes < 0) return
    // Looked at only where it is counted: it would flatten the string, which is still to be joined to others.
    // A pair of surrogates that two writes share is one character once they are joined.
    const endsPair = (data.charCodeAt(0) & 0xfc00) === 0xdc00
    this.#textBytes = endsPair ? -1 : this.#textBytes + Buffer.byteLength(data, encoding)
  }

  appendBytes(data: Uint8Array): void {
    if (data.length === 0) return
    if (this.#text !== '') this.#turnTextIntoPart()
    if (data.length > COPY_BYTES) {
      this.#addPart(Buffer.from(data.buffer, data.byteOffset, data.byteLength))
    } else if (this.#parts.length > 0 && data.length <= SMALL_BYTES) {
      this.#gatherSmall(data)
    } else {
      this.#addPart(Buffer.from(data))
    }
  }

  /** Drops all. */
  clear(): void {
    this.#text = ''
    this.#textBytes = -1
    this.#parts = NO_PARTS
    this.#gather = undefined
    this.#counted = 0
  }

  /** Whether all there is can leave as one text. */
  get isShortText(): boolean {
    return (
      this.#parts.length === 0 &&
      this.#text.length <= SLICE_BYTES &&
      this.#sizeOfText() <= SLICE_BYTES
    )
  }

  /** How that text is best handed over. */
  get sendEncoding(): 'utf8' | 'latin1' {
    const { length } = this.#text
    const isNarrow =
      this.#textEncoding === 'latin1' || (length > SHORT_UNITS && this.#sizeOfText() === length)
    return isNarrow ? 'latin1' : 'utf8'
  }

  takeText(): string {
    const text = this.#text
    this.#text = ''
    this.#textBytes = -1
    return text
  }

  /** Takes up to a slice off the front, of a buffer that is not empty: small parts joined, a view of a large one. */
  takeSlice(): Buffer {
    if (this.#text !== '') this.#turnTextIntoPart()
    const slice = this.#sliceOfParts()
    this.#counted -= slice.length
    return slice
  }

  #sliceOfParts(): Buffer {
    const parts = this.#parts
    const first = parts[0] as Buffer
    if (first.length > SLICE_BYTES) {
      parts[0] = first.subarray(SLICE_BYTES)
      return first.subarray(0, SLICE_BYTES)
    }
    let count = 0
    let size = 0
    while (count < parts.length && size + (parts[count] as Buffer).length <= SLICE_BYTES) {
      size += (parts[count++] as Buffer).length
    }
    const taken = parts.splice(0, count)
    // What is handed over must not grow.
    if (parts.length === 0) this.#gather = undefined
    return taken.length === 1 ? first : Buffer.concat(taken, size)
  }

  #turnTextIntoPart(): void {
    const part = Buffer.from(this.#text, this.#textEncoding)
    this.#text = ''
    this.#textBytes = -1
    if (this.#parts.length > 0 && part.length <= SMALL_BYTES) this.#gatherSmall(part)
    else this.#addPart(part)
  }

  #addPart(part: Buffer): void {
    this.#gather = undefined
    if (this.#parts === NO_PARTS) this.#parts = []
    this.#parts.push(part)
    this.#counted += part.length
  }

  /** Copies behind the last part, so that many small writes are not as many objects. */
  #gatherSmall(data: Uint8Array): void {
    if (this.#gather === undefined || this.#gathered + data.length > this.#gather.length) {
      this.#gather = Buffer.allocUnsafeSlow(COPY_BYTES)
      this.#gathered = 0
    } else {
      this.#parts.length--
    }
    this.#gather.set(data, this.#gathered)
    this.#gathered += data.length
    this.#parts.push(this.#gather.subarray(0, this.#gathered))
    this.#counted += data.length
  }

  #sizeOfText(): number {
    if (this.#textBytes < 0) {
      this.#textBytes = Buffer.byteLength(this.#text, this.#textEncoding)
    }
    return this.#textBytes
  }
}
