/**
 * A line prompt at the bottom of a terminal, and text that appears above it while one types. The editing, the keys
 * and the recall of lines are those of node:readline; this file only takes the prompt off the screen and puts it back.
 * Once it is closed no key is read, and text is printed as it comes.
 *
 * Invariant: whoever closes it finds the terminal as it was before, and the cursor at the beginning of a line. It
 * knows no connection.
 */
import { createInterface, type Interface } from 'node:readline'
import type { ReadStream, WriteStream } from 'node:tty'
import { unobserved } from '../concurrency/deferred.js'
import { printWords, type Output } from './stdio.js'

/** What stands before the typed text where there is no question. */
const PROMPT = '> '

/** Of the cursor's line and all below it. */
const ERASE = '\r\x1b[J'

/** From so many characters on, inserting one takes a tenth of a millisecond. */
const LONG_LINE = 1000

export interface LinePromptOptions {
  input: ReadStream
  /** The terminal, for its size; readline draws on it. */
  screen: WriteStream
  /** The same terminal, for text. */
  output: Output
  /** Earlier lines, the oldest first. */
  history: readonly string[]
  /** How many lines can be recalled. */
  historySize: number
  /** What stands before the typed text; '' for the usual. It is asked whenever the prompt is drawn. */
  question: () => string
  /** A line is entered. */
  onLine: (line: string) => void
  /** Whether the line that is entered may be recalled. */
  mayRecall: () => boolean
  /** Ctrl+D in an empty line, or the end of the input. The prompt has closed. */
  onEnd: () => void
  /** Ctrl+C. */
  onInterrupt: () => void
  onError: (error: Error) => void
}

export class LinePrompt {
  readonly #line: Interface
  readonly #options: LinePromptOptions
  /** readline draws without moving the cursor on such a terminal, and so do we. */
  readonly #isDumb = process.env['TERM'] === 'dumb'
  #isClosed = false
  /** Whether the end is our doing. */
  #isClosedHere = false
  /** Whether the prompt is on the screen, and with which question. */
  #stands = false
  #question = ''
  /** In which row of the typed text the cursor was when it was taken off the screen: readline goes up by as many. */
  #rowsAbove = 0
  #isAtLineStart = true

  constructor(options: LinePromptOptions) {
    this.#options = options
    this.#line = createInterface({
      input: options.input,
      output: options.screen,
      terminal: true,
      prompt: PROMPT,
      history: options.history.toReversed(),
      historySize: options.historySize,
      removeHistoryDuplicates: true,
    })
    insertWhereTheCursorIs(this.#line)
    this.#line.on('history', (lines) => {
      if (!options.mayRecall()) lines.shift()
    })
    this.#line.on('line', (line) => {
      this.#entered(line)
    })
    this.#line.on('SIGINT', () => {
      this.close()
      options.onInterrupt()
    })
    this.#line.on('SIGTSTP', () => {
      this.#suspend()
    })
    this.#line.on('close', () => {
      this.#closed()
    })
    this.#line.on('error', options.onError)
    this.#putUp()
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /**
   * Prints text above the prompt, which it must then end in an LF for; and draws the question where it is new.
   * Resolves when more may follow.
   */
  async print(text: string): Promise<void> {
    if (text === '' && (!this.#stands || this.#options.question() === this.#question)) return
    this.#takeOff()
    const taken = this.#write(text)
    this.#putUp()
    await taken
  }

  /** Prints words on stderr, on a line of their own. */
  say(words: string): void {
    this.#takeOff()
    if (!this.#isAtLineStart) void this.#write('\n')
    printWords(words)
    this.#putUp()
  }

  /** Restores the terminal. What was typed and not entered stays on the screen. Any number of calls. */
  close(): void {
    if (this.#isClosed) {
      if (!this.#isAtLineStart) void this.#write('\n')
      return
    }
    this.#isClosedHere = true
    // To the end of what is typed: its last row may not be the cursor's.
    if (this.#stands && this.#line.line !== '') this.#line.write(null, { ctrl: true, name: 'e' })
    this.#line.close()
  }

  /** readline has closed: by us, by Ctrl+D, or at the end of its input. */
  #closed(): void {
    if (this.#line.line === '' && this.#question === '') this.#takeOff()
    else if (this.#stands) void this.#write('\n')
    this.#stands = false
    this.#isClosed = true
    if (!this.#isClosedHere) this.#options.onEnd()
  }

  #entered(line: string): void {
    // Enter has moved the cursor to a fresh line.
    this.#stands = false
    this.#isAtLineStart = true
    this.#options.onLine(line)
    this.#putUp()
  }

  /** Ctrl+Z. Goes on at once where nobody can stop us: in a process group without a shell. */
  #suspend(): void {
    this.#takeOff()
    this.#options.input.setRawMode(false)
    process.kill(process.pid, 'SIGTSTP')
    this.#options.input.setRawMode(true)
    this.#putUp()
  }

  #takeOff(): void {
    if (!this.#stands) return
    this.#stands = false
    if (this.#isDumb) {
      void this.#write('\n')
      return
    }
    const { rows } = this.#line.getCursorPos()
    this.#rowsAbove = rows
    void this.#write(`${rows > 0 ? `\x1b[${rows}A` : ''}${ERASE}`)
    this.#isAtLineStart = true
  }

  #putUp(): void {
    if (this.#stands || this.#isClosed) return
    this.#stands = true
    if (this.#rowsAbove > 0) void this.#write('\n'.repeat(this.#rowsAbove))
    this.#rowsAbove = 0
    this.#question = this.#options.question()
    this.#line.setPrompt(this.#question === '' ? PROMPT : this.#question)
    this.#line.prompt(true)
    if (this.#isDumb) void this.#write(this.#line.line)
    this.#isAtLineStart = false
  }

  /** That it fails is told by the output itself as well. */
  #write(text: string): Promise<void> {
    if (text === '') return Promise.resolve()
    this.#isAtLineStart = text.endsWith('\n')
    return unobserved(this.#options.output.write(text))
  }
}

/**
 * Of a chunk with several characters, such as a paste, readline appends all but the last at the end of the line,
 * wherever the cursor is, and loses count of the rows (Node 20). It does so where it would complete no words. The
 * other way takes a time that grows with the line, so it is left alone where the line is long and the cursor at its
 * end. Where readline has no such property this does nothing.
 */
function insertWhereTheCursorIs(line: Interface): void {
  Object.defineProperty(line, 'isCompletionEnabled', {
    get: () => line.line.length < LONG_LINE || line.cursor < line.line.length,
    set: () => {},
  })
}
