/** The programs of a folder of `examples/`: run as a user runs them, they must print what they say that they print. */
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** Arbitrary: on a busy machine one of so many runs is not held up. */
const MOST_RUNS = 5

export interface Example {
  /** Its file below `examples/`, without `.ts`: `asyncio-tutorial/4-1-hello-world`. */
  readonly name: string
  readonly source: string
  /** What it says that it prints: the comment `// Prints:` at its end. */
  readonly prints: readonly string[]
}

/** All examples of a folder below `examples/`, in their order. Files that say nothing of the kind are parts of them. */
export function examplesOf(folder: string): Example[] {
  return readdirSync(path.join(ROOT, 'examples', folder))
    .filter((file) => file.endsWith('.ts'))
    .toSorted(new Intl.Collator('en', { numeric: true }).compare)
    .map((file): Example => {
      const source = readFileSync(path.join(ROOT, 'examples', folder, file), 'utf8')
      const [, comment = ''] = /\n\/\/ Prints:\n((?:\/\/.*\n)+)$/.exec(source) ?? []
      const prints = comment.split('\n').slice(0, -1)
      return {
        name: `${folder}/${file.slice(0, -'.ts'.length)}`,
        source,
        prints: prints.map((line) => line.replace(/^\/\/ ?/, '')),
      }
    })
    .filter(({ prints }) => prints.length > 0)
}

/**
 * Runs one as `npm run example` does, and gives the lines of its stdout. Time can be longer than the example
 * says, where the machine is busy, and never shorter: when nothing else differs it is run again.
 */
export async function runExample({ name, prints }: Example): Promise<string[]> {
  for (let run = 1; ; run++) {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--import', './tools/typescript.mjs', `examples/${name}.ts`],
      { cwd: ROOT, timeout: 15_000 },
    )
    const lines = stdout.replace(/\n$/, '').split('\n')
    if (run === MOST_RUNS || !differsInTimeAlone(lines, prints)) return lines
  }
}

function differsInTimeAlone(lines: readonly string[], expected: readonly string[]): boolean {
  const withoutTimes = (text: readonly string[]): string =>
    text.join('\n').replaceAll(/\d+\.\d s\b/g, '… s')
  return lines.join('\n') !== expected.join('\n') && withoutTimes(lines) === withoutTimes(expected)
}
