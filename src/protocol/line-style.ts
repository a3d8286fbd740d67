/** How lines are read: the options of a read, checked and resolved once for a whole iteration. */
import type { WaitOptions } from '../concurrency/abort.js'
import type { TextEncoding } from './receive-buffer.js'

/** The longest line: 64 KiB is asyncio's default, and the largest block that Node reads at once. */
export const DEFAULT_LIMIT = 64 * 1024

/** What becomes of a last line that has no terminator: an error with its bytes, a line as any other, or nothing. */
export type PartialLine = 'error' | 'yield' | 'drop'

/** What becomes of a line that is not valid UTF-8: an error with its bytes, or U+FFFD in place of what is not valid. */
export type InvalidText = 'error' | 'replace'

/** How a line is read. */
export interface LineOptions extends WaitOptions {
  /** `latin1` maps each byte to one character: exact for any bytes, and as fast as text. @default 'utf8' */
  encoding?: 'utf8' | 'latin1' | undefined
  /** Leaves the LF or CRLF on the line, as it came. @default false */
  keepTerminator?: boolean | undefined
  /** @default that of the reader */
  partial?: PartialLine | undefined
  /** @default that of the reader */
  invalidText?: InvalidText | undefined
}

/** How a line is read as bytes. */
export interface LineBytesOptions extends Omit<LineOptions, 'encoding' | 'invalidText'> {
  encoding: 'buffer'
}

/** The options of a line, resolved once for a whole iteration. */
export class LineStyle {
  readonly encoding: TextEncoding | 'buffer'
  readonly keepTerminator: boolean
  readonly partial: PartialLine
  readonly invalidText: InvalidText

  /** @throws TypeError when an option is none of its words */
  constructor(options: Partial<Record<keyof LineStyle, unknown>>, defaults?: LineStyle) {
    const word = <T extends string>(name: keyof LineStyle, words: readonly [T, ...T[]]): T => {
      const value = options[name] ?? defaults?.[name] ?? words[0]
      const known = words.find((one) => one === value)
      if (known === undefined) {
        throw new TypeError(
          `${name} must be one of ${words.join(', ')}, not ${JSON.stringify(value)}`,
        )
      }
      return known
    }
    this.encoding = word('encoding', ['utf8', 'latin1', 'buffer'])
    this.partial = word('partial', ['error', 'yield', 'drop'])
    this.invalidText = word('invalidText', ['error', 'replace'])
    this.keepTerminator = (options.keepTerminator ?? defaults?.keepTerminator) === true
  }
}

/** Text, no terminators, and errors for what is odd. */
export const DEFAULT_STYLE = new LineStyle({})
