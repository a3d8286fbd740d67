/**
 * What a peer sends, as the lines that a terminal shows: decoded, made harmless, and cut at LF or CRLF.
 *
 * A line without its end yet (`login: `) is there to be shown too. It prints nothing. How the bytes arrive in chunks
 * makes no difference to the lines.
 */
import { printable } from './printable.js'

/** An unfinished line is broken off above this many characters: a peer that never ends one must not fill the memory. */
const LONGEST_LINE = 65_536

/** Of an unfinished line so much is shown, from its end: it is drawn anew with every key. */
const LONGEST_UNFINISHED = 1000

export class PeerText {
  // Invalid UTF-8 becomes U+FFFD; a BOM stays.
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  /** What has come of a line whose end has not. */
  #pending = ''
  /** Whether the screen has ended the line that the peer has not: its terminator is then no empty line. */
  #isBrokenOff = false

  /** Takes what has arrived. Gives the lines that it completes, each with an LF. */
  feed(bytes: Uint8Array): string {
    return this.#take(this.#decoder.decode(bytes, { stream: true }))
  }

  /** The end of the input: gives what is left, with an LF. */
  end(): string {
    const rest = this.#take(this.#decoder.decode())
    const last = this.takeUnfinished()
    return last === '' ? rest : `${rest}${last}\n`
  }

  /** The line that has begun, or the end of it where it is long. */
  get unfinished(): string {
    const { length } = this.#pending
    if (length <= LONGEST_UNFINISHED) return this.#shown()
    return `…${this.#shown().slice(-LONGEST_UNFINISHED)}`
  }

  /** Gives what has come of the line that has begun; the rest of it will follow as a text of its own. */
  takeUnfinished(): string {
    const text = this.#shown()
    this.#pending = this.#pending.endsWith('\r') ? '\r' : ''
    return text
  }

  /** The screen has ended the unfinished line, such as by the Enter of an answer to it. */
  breakOff(): void {
    if (this.#pending === '' || this.#pending.length > LONGEST_UNFINISHED) return
    this.#pending = ''
    this.#isBrokenOff = true
  }

  #take(text: string): string {
    let pending = this.#pending + text
    if (this.#isBrokenOff && !/^\r?$/.test(pending)) {
      pending = pending.replace(/^\r?\n/, '')
      this.#isBrokenOff = false
    }
    const end = pending.lastIndexOf('\n') + 1
    this.#pending = pending.slice(end)
    let lines = pending.slice(0, end)
    if (this.#pending.length > LONGEST_LINE) {
      lines += `${this.#pending}\n`
      this.#pending = ''
      this.#isBrokenOff = true
    }
    return printable(lines.replaceAll('\r\n', '\n'))
  }

  /** The CR may be the first half of a CRLF. */
  #shown(): string {
    return printable(this.#pending.replace(/\r$/, ''))
  }
}
