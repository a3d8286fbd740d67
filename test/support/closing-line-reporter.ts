import type { Reporter, TestModule } from 'vitest/node'

interface Counts {
  passed: number
  failed: number
  skipped: number
}

/**
 * Prints `N passed, N failed` (and `, N skipped` when there are any) as the last line of a run.
 * A file or a suite that fails outside its tests, and an error that no test caught, is one failure
 * each, so the line never says `0 failed` where a test file went wrong.
 */
export class ClosingLineReporter implements Reporter {
  #counts: Counts | undefined

  onInit(): void {
    // At exit, since the coverage report and late warnings come after the end of the run.
    process.once('exit', () => {
      if (this.#counts === undefined) return
      // On a terminal the sequence that shows the cursor again was written without a line end.
      if (process.stdout.isTTY) process.stdout.write('\n')
      process.stdout.write(`${closingLine(this.#counts)}\n`)
    })
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    this.#counts = count(modules, unhandledErrors)
  }
}

function closingLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}

function count(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): Counts {
  const counts: Counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 }
  for (const module of modules) {
    if (module.errors().length > 0) counts.failed += 1
    for (const suite of module.children.allSuites()) {
      if (suite.errors().length > 0) counts.failed += 1
    }
    for (const test of module.children.allTests()) {
      const { state } = test.result()
      // Pending at the end of the run: it was started and never finished.
      counts[state === 'pending' ? 'failed' : state] += 1
    }
  }
  return counts
}
