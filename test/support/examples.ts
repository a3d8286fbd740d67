/** The programs of a folder of `examples/`: run as a user runs them, they must print what they say that they print. */
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism, loadavg } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** Arbitrary: on a busy machine one of so many runs is not held up. */
const MOST_RUNS = 5
/** Arbitrary: so many runs, each of which waits for the others on a busy machine. */
const LONGEST_MS = 240_000
/** What a stopwatch of the examples says. */
const TIME = /(\d+\.\d) s\b/g

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

/** Adds a test for each, in which it prints what it says, and one that there are so many at least. */
export function testExamples(examples: readonly Example[], least: number): void {
  test('there are examples', () => {
    expect(examples.length).toBeGreaterThanOrEqual(least)
  })

  describe.concurrent('npm run example', () => {
    test.each(examples)(
      '$name prints what it says',
      async (example) => {
        expect(await runExample(example)).toEqual(example.prints)
      },
      LONGEST_MS,
    )
  })
}

/**
 * Runs one as `npm run example` does, and gives the lines of its stdout.
 *
 * Times are compared, too, but a busy machine makes them longer. So one in which nothing else differs is run again, and
 * where there is more to do than there are processors, the last run may be longer than it says, and not shorter.
 */
async function runExample({ name, prints }: Example): Promise<string[]> {
  for (let run = 1; ; run++) {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--import', './tools/typescript.mjs', `examples/${name}.ts`],
      { cwd: ROOT, timeout: 40_000 },
    )
    const lines = stdout.replace(/\n$/, '').split('\n')
    if (withoutTimes(lines) !== withoutTimes(prints)) return lines
    const isExact = lines.join('\n') === prints.join('\n')
    if (isExact || run === MOST_RUNS) {
      const isBusy = (loadavg()[0] ?? 0) > availableParallelism()
      return !isExact && isBusy && isNowhereShorter(lines, prints) ? [...prints] : lines
    }
  }
}

function withoutTimes(lines: readonly string[]): string {
  return lines.join('\n').replaceAll(TIME, '… s')
}

function isNowhereShorter(lines: readonly string[], prints: readonly string[]): boolean {
  const [actual, said] = [lines, prints].map((text) =>
    [...text.join('\n').matchAll(TIME)].map(([, seconds]) => Number(seconds)),
  )
  return said?.every((seconds, i) => (actual?.[i] ?? 0) >= seconds) === true
}
