/**
 * Field lines up to the empty line behind them, of a head or of trailers (RFC 9112 5): scanned once, as the bytes come,
 * and kept as places in them. It knows no field by its name.
 *
 * Invariant: whatever the cut of the bytes, the same octet is the first one that is refused.
 */
import type { FrameSource } from '../protocol/framing.js'
import { HttpError } from './http-error.js'
import { NUMBERS_PER_FIELD } from './http-headers.js'
import { COLON, CR, FIELD_VALUE, isWhite, LF, SPACE, TAB, TOKEN } from './octets.js'

export class FieldSection {
  readonly #maxFields: number
  /** Four numbers a field, counted from the beginning of the message: see {@link NUMBERS_PER_FIELD}. */
  readonly places: number[] = []
  /** Where the line begins that is not yet whole, counted the same way. */
  #line: number

  constructor(start: number, maxFields: number) {
    this.#line = start
    this.#maxFields = maxFields
  }

  /**
   * Goes on with the bytes of a message that begins at `base`; `end` is where the bytes end, `limit` where the section
   * has to.
   *
   * @returns where the section ends, counted from `base`, or 0 when that has not come yet
   * @throws HttpError 400 for what is no field line, 431 for too many of them or for more bytes than may be
   */
  read(bytes: Uint8Array, base: number, end: number, limit: number): number {
    const { places } = this
    const stop = end < limit ? end : limit
    const maxNumbers = this.#maxFields * NUMBERS_PER_FIELD
    let at = base + this.#line
    for (;;) {
      if (at >= stop) break
      if (bytes[at] === CR) {
        if (at + 1 >= stop) break
        if (bytes[at + 1] !== LF) throw badField('a CR without its LF')
        return at + 2 - base
      }
      if (places.length === maxNumbers) throw tooLarge(`more than ${this.#maxFields} fields`)
      const nameStart = at
      let i = at
      while (i < stop && TOKEN[bytes[i] as number] === 1) i++
      if (i >= stop) break
      if (i === nameStart || bytes[i] !== COLON) {
        throw badField('a field has no name that a colon follows at once')
      }
      const nameEnd = i++
      while (i < stop && isWhite(bytes[i] as number)) i++
      const valueStart = i
      while (i < stop && FIELD_VALUE[bytes[i] as number] === 1) i++
      if (i >= stop) break
      if (bytes[i] !== CR) throw badField('a field value has an octet that may not be in it')
      if (i + 1 >= stop) break
      if (bytes[i + 1] !== LF) throw badField('a CR without its LF')
      let valueEnd = i
      while (valueEnd > valueStart && isWhite(bytes[valueEnd - 1] as number)) valueEnd--
      places.push(nameStart - base, nameEnd - base, valueStart - base, valueEnd - base)
      at = i + 2
      this.#line = at - base
    }
    if (stop === limit) throw tooLarge('the fields are longer than they may be')
    return 0
  }
}

function badField(why: string): HttpError {
  return new HttpError(400, `bad field: ${why}`)
}

function tooLarge(why: string): HttpError {
  return new HttpError(431, `fields too large: ${why}`)
}

/**
 * Whether the bytes from `from` on hold a control other than a tab, or follow a CR: the end of a line, or what may not be
 * there. Until then a line that is not whole need not be looked at again.
 */
export function hasControl(source: FrameSource, from: number): boolean {
  if (from > 0 && source.size > from && source.byteAt(from - 1) === CR) return true
  for (let i = from; i < source.size; i++) {
    const octet = source.byteAt(i)
    if ((octet < SPACE && octet !== TAB) || octet === 0x7f) return true
  }
  return false
}
