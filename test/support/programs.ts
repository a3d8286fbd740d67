/** Child processes that play a part in a test. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

/** `python3 ACTIVATOR SOCKET_PATH PROGRAM …`: the program, with a TCP and a Unix socket that listen as 3 and 4. */
export const ACTIVATOR = fileURLToPath(new URL('programs/activator.py', import.meta.url))

export interface RunningProgram {
  readonly child: ChildProcessWithoutNullStreams
  /** The next line that it prints; rejects when it ends instead. */
  nextLine(): Promise<string>
  /** Everything that it has printed on stderr so far. */
  stderr(): string
  /** Its exit code, or the name of the signal that ended it. */
  readonly ended: Promise<number | string>
}

/** Starts a program; it is killed when the test is over, if it has not ended by then. */
export function run(command: string, args: readonly string[]): RunningProgram {
  const child = spawn(command, args, { stdio: 'pipe' })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  child.stdin.on('error', () => {})
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return {
    child,
    async nextLine() {
      const { done, value } = await lines.next()
      if (done === true) throw new Error(`${command} ended (${await ended}): ${stderr}`)
      return value
    },
    stderr: () => stderr,
    ended,
  }
}

/** Starts one of the programs in the folder `programs` beside this file, with this same Node, and flags for it. */
export function runProgram(
  name: string,
  args: readonly string[] = [],
  flags: readonly string[] = [],
): RunningProgram {
  return run(process.execPath, [
    ...flags,
    fileURLToPath(new URL(`programs/${name}`, import.meta.url)),
    ...args,
  ])
}
