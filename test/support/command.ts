/**
 * The built command `standpipe`, run as a user runs it: in a process of its own, for a bounded time.
 *
 * It runs `dist`, as `npm test` has left it, and never builds. No flag reaches it from the environment of the tests.
 */
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

/** The built command. */
export const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

/** What a command has come to. */
export interface CommandResult {
  /** The exit code, or the name of the signal that ended it. */
  readonly code: number | string
  readonly stdout: Buffer
  readonly stderr: string
}

export interface CommandOptions {
  /** Variables besides PATH and the like. */
  env?: Record<string, string>
  /** Where the standard streams go. @default three pipes */
  stdio?: StdioOptions
  cwd?: string
  /** After so long it is killed, and `ended` rejects. @default 15 s */
  timeoutMs?: number
}

const DEFAULT_TIMEOUT_MS = 15_000

/** A command that runs. */
export class RunningCommand {
  readonly child: ChildProcess
  /** Resolves when it has ended and all of its output has been read. */
  readonly ended: Promise<CommandResult>
  readonly #stdout = new Printed()
  readonly #stderr = new Printed()

  constructor(file: string, args: readonly string[], options: CommandOptions) {
    const { timeoutMs = DEFAULT_TIMEOUT_MS } = options
    this.child = spawn(file, args, {
      stdio: options.stdio ?? 'pipe',
      env: { ...withoutOurs(process.env), ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    })
    const { child } = this
    this.#stdout.take(child.stdout)
    this.#stderr.take(child.stderr)
    // The command need not take all of its input.
    child.stdin?.on('error', () => {})
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      child.kill('SIGKILL')
    }, timeoutMs)
    this.ended = once(child, 'close').then(([code, signal]) => {
      clearTimeout(timer)
      this.#stdout.end()
      this.#stderr.end()
      if (isLate) {
        const printed = `stdout: ${this.#stdout.text}\nstderr: ${this.stderr}`
        throw new Error(`${args.join(' ')}: not ended within ${timeoutMs} ms\n${printed}`)
      }
      return { code: (code ?? signal) as number | string, ...this.#printed() }
    })
    // A test that fails before it awaits the end has its own error to show.
    this.ended.catch(() => {})
    onTestFinished(async () => {
      child.kill('SIGKILL')
      await this.ended.catch(() => {})
    })
  }

  /** What it has printed on stderr so far. */
  get stderr(): string {
    return this.#stderr.text
  }

  /** Resolves with the match when stdout, from its beginning on, matches. @throws Error when it ends first */
  async prints(pattern: RegExp): Promise<RegExpExecArray> {
    return await this.#stdout.matches(pattern, () => this.stderr)
  }

  /** The same for stderr. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    return await this.#stderr.matches(pattern, () => this.stderr)
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  #printed(): { stdout: Buffer; stderr: string } {
    return { stdout: this.#stdout.bytes, stderr: this.stderr }
  }
}

/** Starts `standpipe` with these arguments; it is killed when the test is over, if it has not ended by then. */
export function startCommand(
  args: readonly string[],
  options: CommandOptions = {},
): RunningCommand {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: npm run build makes it`)
  return new RunningCommand(process.execPath, [MAIN, ...args], options)
}

/** Runs `standpipe` to its end, with `input` and its end on stdin. */
export async function runCommand(
  args: readonly string[],
  { input = '', ...options }: CommandOptions & { input?: string | Buffer } = {},
): Promise<CommandResult> {
  const command = startCommand(args, options)
  command.child.stdin?.end(input)
  return await command.ended
}

/** Runs a shell script in which `standpipe` is the command. */
export function startShell(script: string, options: CommandOptions = {}): RunningCommand {
  const standpipe = `standpipe() { "$NODE" "$MAIN" "$@"; }`
  const env = { NODE: process.execPath, MAIN, ...options.env }
  return new RunningCommand('sh', ['-c', `${standpipe}\n${script}`], { ...options, env })
}

/** An echo server that listens. */
export interface Echo {
  readonly command: RunningCommand
  readonly port: number
  /** As an argument of `connect`. */
  readonly address: string
}

/** Starts `standpipe echo` on a free port of 127.0.0.1, unless told otherwise, and waits until it listens. */
export async function startEcho(
  args: readonly string[] = [],
  options: CommandOptions = {},
): Promise<Echo> {
  const where = args.some((one) => /^(?:--port|unix:|.*:\d)/.test(one)) ? [] : ['--port', '0']
  return await listening(startCommand(['echo', '--json', ...where, ...args], options))
}

/** Waits until an `echo --json` listens. */
export async function listening(command: RunningCommand): Promise<Echo> {
  const [banner] = await command.prints(/^\{.*\}\n/)
  const { port = 0, address } = JSON.parse(banner) as { port?: number; address: string }
  return { command, port, address }
}

/** What a process has printed on one of its streams. */
class Printed {
  readonly #chunks: Buffer[] = []
  #hasEnded = false
  #watchers: (() => void)[] = []

  take(stream: Readable | null): void {
    stream?.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk)
      this.#tell()
    })
  }

  end(): void {
    this.#hasEnded = true
    this.#tell()
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  get text(): string {
    return this.bytes.toString()
  }

  async matches(pattern: RegExp, explain: () => string): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.text)
      if (match !== null) return match
      if (this.#hasEnded) {
        throw new Error(`it ended and never printed ${String(pattern)}\nstderr: ${explain()}`)
      }
      await new Promise<void>((resolve) => this.#watchers.push(resolve))
    }
  }

  #tell(): void {
    const watchers = this.#watchers
    this.#watchers = []
    for (const watcher of watchers) watcher()
  }
}

function withoutOurs(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const foreign = /^(?:STANDPIPE_|npm_|NODE_|FORCE_COLOR$|VITEST)/
  return Object.fromEntries(Object.entries(env).filter(([name]) => !foreign.test(name)))
}
