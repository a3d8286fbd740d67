/**
 * The fields of a request, as they came: a view of the head's bytes, from which text is made when it is asked for.
 *
 * Names are compared without their case. It changes nothing, joins what the RFC lets one join, and drops no field.
 */
import { isSameName, LOWER } from './octets.js'

/** Four numbers a field: where its name and its value begin and end. */
export const NUMBERS_PER_FIELD = 4

export class HttpHeaders implements Iterable<[name: string, value: string]> {
  readonly #bytes: Buffer
  /** Where in them the places are counted from. */
  readonly #base: number
  readonly #places: readonly number[]

  /** @internal */
  constructor(bytes: Buffer, places: readonly number[], base = 0) {
    this.#bytes = bytes
    this.#base = base
    this.#places = places
  }

  /** How many fields there are. */
  get size(): number {
    return this.#places.length / NUMBERS_PER_FIELD
  }

  /**
   * The value of the field of this name; of several fields their values, joined by `, ` (RFC 9110 5.3); undefined when
   * there is none. An octet above 0x7f is one character.
   */
  get(name: string): string | undefined {
    const lower = name.toLowerCase()
    let value: string | undefined
    for (let i = this.#next(lower, 0); i >= 0; i = this.#next(lower, i + NUMBERS_PER_FIELD)) {
      value = value === undefined ? this.#valueAt(i) : `${value}, ${this.#valueAt(i)}`
    }
    return value
  }

  /** The values of all fields of this name, in order: for those that cannot be joined, such as `Set-Cookie`. */
  getAll(name: string): string[] {
    const lower = name.toLowerCase()
    const values: string[] = []
    for (let i = this.#next(lower, 0); i >= 0; i = this.#next(lower, i + NUMBERS_PER_FIELD)) {
      values.push(this.#valueAt(i))
    }
    return values
  }

  /** Whether there is a field of this name. */
  has(name: string): boolean {
    return this.#next(name.toLowerCase(), 0) >= 0
  }

  /** Names in lower case and values, in order, several fields of one name each by itself. */
  *[Symbol.iterator](): IterableIterator<[name: string, value: string]> {
    for (let i = 0; i < this.#places.length; i += NUMBERS_PER_FIELD) {
      yield [this.#nameAt(i), this.#valueAt(i)]
    }
  }

  #next(lower: string, from: number): number {
    const places = this.#places
    const first = lower.charCodeAt(0)
    for (let i = from; i < places.length; i += NUMBERS_PER_FIELD) {
      const start = this.#base + (places[i] as number)
      if (LOWER[this.#bytes[start] as number] !== first) continue
      if (isSameName(this.#bytes, start, this.#base + (places[i + 1] as number), lower)) return i
    }
    return -1
  }

  #nameAt(i: number): string {
    return this.#textAt(i).toLowerCase()
  }

  #valueAt(i: number): string {
    return this.#textAt(i + 2)
  }

  #textAt(i: number): string {
    const start = this.#base + (this.#places[i] as number)
    const end = this.#base + (this.#places[i + 1] as number)
    return this.#bytes.toString('latin1', start, end)
  }
}
