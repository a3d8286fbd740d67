/**
 * The lines typed at the prompt of `connect`, kept from one run to the next in a file that only its owner may read.
 *
 * A line is appended as it is sent, so that neither a crash nor a second terminal loses any. A line that begins with
 * a space is not kept, as in a shell. A file that cannot be kept is told of once, and is no reason to fail.
 */
import {
  appendFileSync,
  closeSync,
  fchmodSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import { describeSystemError } from '../errors.js'

/** As many lines as a person could want to go back. */
export const MOST_LINES = 1000

/** What is read of the file, from its end: more than {@link MOST_LINES} of what is typed take. */
const MOST_BYTES = 1024 * 1024

/** Only the owner may read what may hold a secret. */
const FILE_MODE = 0o600
const FOLDER_MODE = 0o700

/** Where the history is unless told otherwise, by the XDG base directories; undefined where there is no home. */
export function defaultHistoryPath(
  environment: NodeJS.ProcessEnv = process.env,
): string | undefined {
  const state = environment['XDG_STATE_HOME'] ?? ''
  try {
    const folder = isAbsolute(state) ? state : join(homedir(), '.local', 'state')
    return join(folder, 'standpipe', 'history')
  } catch {
    // A user without a name, as in a container.
    return undefined
  }
}

export class History {
  /** The lines of earlier runs, the oldest first. */
  readonly lines: readonly string[]
  readonly #path: string | undefined
  readonly #warn: (message: string) => void
  #isKept: boolean

  /** @param path undefined to keep nothing @param warn told once why nothing is kept */
  constructor(path: string | undefined, warn: (message: string) => void) {
    this.#path = path
    this.#warn = warn
    this.#isKept = path !== undefined
    this.lines = this.#try(load) ?? []
  }

  /** Keeps a line. */
  add(line: string): void {
    if (line.trim() === '' || line.startsWith(' ')) return
    this.#try((path) => {
      mkdirSync(dirname(path), { recursive: true, mode: FOLDER_MODE })
      appendFileSync(path, `${line}\n`, { mode: FILE_MODE })
    })
  }

  #try<T>(action: (path: string) => T): T | undefined {
    if (!this.#isKept || this.#path === undefined) return undefined
    try {
      return action(this.#path)
    } catch (error) {
      this.#isKept = false
      this.#warn(`no history is kept in ${this.#path}: ${describeSystemError(error).words}`)
      return undefined
    }
  }
}

function load(path: string): string[] {
  const text = readEnd(path)
  // A control character has not been typed, and would be obeyed by the terminal.
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !/(?!\t)\p{Cc}/u.test(line))
  if (lines.length <= MOST_LINES) return lines
  const last = lines.slice(-MOST_LINES)
  // Seldom, so that a line which another terminal adds at this very moment is at little risk.
  if (lines.length > 2 * MOST_LINES) replace(path, last)
  return last
}

/** The last lines of the file; nothing where it is not there yet. */
function readEnd(path: string): string {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
  try {
    const stat = fstatSync(file)
    if (!stat.isFile()) throw new Error('it is no file')
    if ((stat.mode & 0o077) !== 0) fchmodSync(file, FILE_MODE)
    const start = Math.max(0, stat.size - MOST_BYTES)
    const bytes = Buffer.alloc(stat.size - start)
    const text = bytes.toString('utf8', 0, readSync(file, bytes, 0, bytes.length, start))
    return start === 0 ? text : text.slice(text.indexOf('\n') + 1)
  } finally {
    closeSync(file)
  }
}

/** Whole or not at all. */
function replace(path: string, lines: readonly string[]): void {
  const fresh = `${path}.${process.pid}`
  writeFileSync(fresh, `${lines.join('\n')}\n`, { mode: FILE_MODE })
  renameSync(fresh, path)
}
