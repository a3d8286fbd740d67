/**
 * The fields of a response: a small list that is checked when it is changed, so that no value can end its line and begin
 * another (RFC 9110 5.5).
 *
 * Names are compared without their case and sent as they were set. It frames nothing: Content-Length, Connection and the
 * like are weighed when the response is sent.
 */
import type { HttpFields } from './http-error.js'

const TYPE_NAME = 'Content-Type'
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** ASCII alone: an octet above it has no meaning that both ends agree on. */
const VALUE = /^[\t\x20-\x7e]*$/

export class ResponseHeaders implements Iterable<[name: string, value: string]> {
  /** Names and values by turns. */
  readonly #list: string[] = []

  /** @throws TypeError as `set()` does */
  constructor(fields?: HttpFields) {
    if (fields === undefined) return
    for (const name of Object.keys(fields)) {
      const value = fields[name] as string | readonly string[]
      if (typeof value === 'object') for (const one of value) this.append(name, one)
      else this.append(name, value)
    }
  }

  /** Says the type where nobody has: one of the kit's own, which needs no check. @internal */
  setTypeUnlessSet(type: string): void {
    if (this.#list.length === 0 || !this.has(TYPE_NAME)) this.#list.push(TYPE_NAME, type)
  }

  /** The type, where that is the only field, as it is in most responses. @internal */
  get onlyType(): string | undefined {
    return this.#list.length === 2 && this.#list[0] === TYPE_NAME ? this.#list[1] : undefined
  }

  /** How many fields there are. */
  get size(): number {
    return this.#list.length / 2
  }

  /** The value of the field of this name; of several theirs, joined by `, `; undefined when there is none. */
  get(name: string): string | undefined {
    const values = this.getAll(name)
    return values.length === 0 ? undefined : values.join(', ')
  }

  /** The values of all fields of this name, in order. */
  getAll(name: string): string[] {
    const lower = name.toLowerCase()
    const values: string[] = []
    for (let i = 0; i < this.#list.length; i += 2) {
      if (this.#list[i]?.toLowerCase() === lower) values.push(this.#list[i + 1] as string)
    }
    return values
  }

  /** Whether there is a field of this name. */
  has(name: string): boolean {
    return this.getAll(name).length > 0
  }

  /**
   * Sets a field, in place of all of that name.
   *
   * @throws TypeError for a name that is no token, and for a value with a control or with what is not ASCII; nothing is
   *   changed then. What is not ASCII is to be encoded, as RFC 8187 says.
   */
  set(name: string, value: string | number): void {
    check(name, value)
    this.delete(name)
    this.#list.push(name, String(value))
  }

  /** Adds a field, beside those of that name: for `Set-Cookie` and the like. @throws TypeError as `set()` does */
  append(name: string, value: string | number): void {
    check(name, value)
    this.#list.push(name, String(value))
  }

  /** Takes away all fields of this name. */
  delete(name: string): void {
    const lower = name.toLowerCase()
    for (let i = this.#list.length - 2; i >= 0; i -= 2) {
      if (this.#list[i]?.toLowerCase() === lower) this.#list.splice(i, 2)
    }
  }

  /** Names and values in order, as they were set. */
  *[Symbol.iterator](): IterableIterator<[name: string, value: string]> {
    for (let i = 0; i < this.#list.length; i += 2) {
      yield [this.#list[i] as string, this.#list[i + 1] as string]
    }
  }
}

function check(name: unknown, value: unknown): void {
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw new TypeError(`a field name must be a token, not ${JSON.stringify(name)}`)
  }
  if (typeof value !== 'string' && typeof value !== 'number') {
    throw new TypeError(`the value of ${name} must be a string or a number, not ${typeof value}`)
  }
  if (!VALUE.test(String(value))) {
    throw new TypeError(
      `the value of ${name} must be ASCII without controls, not ${JSON.stringify(value)}`,
    )
  }
}
