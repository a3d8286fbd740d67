/** The built command on a terminal of its own, as a person uses it. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { MAIN, RunningCommand } from './command.js'
import { Screen } from './screen.js'

const DRIVER = fileURLToPath(new URL('programs/terminal.py', import.meta.url))
const ROWS = 24
const COLUMNS = 80

export const KEY = {
  enter: '\r',
  up: '\x1b[A',
  left: '\x1b[D',
  ctrlC: '\x03',
  ctrlD: '\x04',
  ctrlZ: '\x1a',
} as const

/** How it ended. */
export interface TerminalResult {
  /** The exit code; negative for a signal. */
  readonly code: number
  /** Whether the settings of the terminal are those from before. */
  readonly isRestored: boolean
  readonly lines: string[]
  /** Where the cursor was left, from 0. */
  readonly column: number
}

export class Terminal {
  readonly #command: RunningCommand
  readonly #decoder = new TextDecoder()
  #printed = ''
  #watchers: (() => void)[] = []

  constructor(args: readonly string[], env: Record<string, string>) {
    if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: npm run build makes it`)
    const words = [`${ROWS}`, `${COLUMNS}`, process.execPath, MAIN, ...args]
    this.#command = new RunningCommand('python3', ['-B', DRIVER, ...words], {
      env: { TERM: 'xterm', ...env },
    })
    this.#command.child.stdout?.on('data', (chunk: Buffer) => {
      this.#printed += this.#decoder.decode(chunk, { stream: true })
      this.#tell()
    })
    void this.#command.ended.then(this.#tell, this.#tell)
  }

  /** Everything that it was given to show, sequences and all. */
  get printed(): string {
    return this.#printed
  }

  type(...keys: string[]): void {
    this.#command.child.stdin?.write(keys.join(''))
  }

  kill(signal: NodeJS.Signals): void {
    this.#command.kill(signal)
  }

  /** Resolves when the last lines on the screen are these. @throws Error when the command ends and they are not */
  async shows(...expected: readonly (string | RegExp)[]): Promise<void> {
    let hasEnded = false
    const ended = this.#command.ended.then(() => {
      hasEnded = true
    })
    for (;;) {
      const lines = this.#screen().lines.slice(-expected.length)
      if (expected.every((one, i) => matches(lines[i], one))) return
      if (hasEnded) throw new Error(`it ended and showed ${JSON.stringify(lines, undefined, 2)}`)
      const changed = new Promise<void>((resolve) => this.#watchers.push(resolve))
      await Promise.race([changed, ended]).catch((error: unknown) => {
        throw new Error(`it showed ${JSON.stringify(lines, undefined, 2)}`, { cause: error })
      })
    }
  }

  /** Waits for its end. */
  async end(): Promise<TerminalResult> {
    const { stderr } = await this.#command.ended
    const report = JSON.parse(stderr) as Pick<TerminalResult, 'code' | 'isRestored'>
    const screen = this.#screen()
    return { ...report, lines: screen.lines, column: screen.cursor.column }
  }

  #screen(): Screen {
    // The last sequence may be on its way.
    // oxlint-disable-next-line no-control-regex -- it is the beginning of a sequence
    return new Screen(COLUMNS).write(this.#printed.replace(/\x1b(?:\[\d*)?$/, ''))
  }

  readonly #tell = (): void => {
    const watchers = this.#watchers
    this.#watchers = []
    for (const watcher of watchers) watcher()
  }
}

function matches(line: string | undefined, expected: string | RegExp): boolean {
  if (line === undefined) return false
  return typeof expected === 'string' ? line === expected : expected.test(line)
}
