/**
 * Explores everything that may happen, instead of trying some of it by chance.
 *
 * A test is a program that calls `choose()` wherever things may go one way or another: which of two calls comes
 * first, whether a promise job runs in between. It is run again and again, once for each combination of answers.
 * It must do the same whenever it gets the same answers, so it may use neither time nor chance.
 */

/**
 * Gives one of the options; in the end each of them has been given, with everything that may follow. `name` says
 * what an option is called in the message of a failure.
 */
export type Choose = <T>(options: readonly T[], name?: (option: T) => string) => T

/** One thing that happens at once. What it begins may settle later; it must not be waited for here. */
export interface Step {
  /** For the message that tells which order has failed. */
  readonly name: string
  readonly run: () => void
}

/**
 * How far what a step set off has got when the next step comes: `at once` is the same moment, a number is so many
 * promise jobs later, and `turn` is a turn of the loop later, when everything has settled that can.
 */
export type Gap = 'at once' | number | 'turn'

/** Far more than any list of steps that ends within seconds: a list that is longer should be cut. */
const MAX_RUNS = 200_000

interface Answer {
  index: number
  readonly count: number
  readonly label: string
}

/**
 * Runs a program once for each way that its choices can go, and tells how many those are.
 * @throws Error when a run fails, with the choices that led there; the program's own error is its cause
 */
export async function inAllOrders(program: (choose: Choose) => Promise<void>): Promise<number> {
  let answers: Answer[] = []
  for (let runs = 1; ; runs++) {
    if (runs > MAX_RUNS) throw new Error(`more than ${MAX_RUNS} orders: use fewer steps or gaps`)
    const given = answers
    answers = []
    const choose: Choose = (options, name = String) => {
      const { index, count } = given[answers.length] ?? { index: 0, count: options.length }
      if (count !== options.length || count === 0) {
        throw new Error(`${options.length} options where there were ${count}: not the same program`)
      }
      const option = options[index] as (typeof options)[number]
      answers.push({ index, count, label: name(option) })
      return option
    }
    try {
      await program(choose)
    } catch (error) {
      const trail = answers.map(({ label }) => label).join(', ')
      const reason = error instanceof Error ? error.message : String(error)
      throw new Error(`in run ${runs} (${trail}): ${reason}`, { cause: error })
    }
    if (!nextIn(answers)) return runs
  }
}

/** The next combination, counted as an odometer counts: the last choice first. False after the last one. */
function nextIn(answers: Answer[]): boolean {
  for (let last = answers.at(-1); last !== undefined; last = answers.at(-1)) {
    last.index++
    if (last.index < last.count) return true
    answers.pop()
  }
  return false
}

/**
 * Lets several happen at a time: the steps of each script come in their order, and otherwise anything goes.
 * A script of one step is something that may happen at any moment.
 */
export async function interleave(
  choose: Choose,
  scripts: readonly (readonly Step[])[],
  gaps: readonly Gap[] = ['at once', 'turn'],
): Promise<void> {
  const rest = scripts.map((script) => [...script])
  for (;;) {
    const open = rest.filter((script) => script.length > 0)
    if (open.length === 0) return
    const script = choose(open, ([step]) => step?.name ?? '')
    script.shift()?.run()
    if (open.length === 1 && script.length === 0) return
    const gap = choose(gaps)
    // Written out here: a function to wait for would let jobs of its own pass, also where none is to.
    if (gap === 'turn') await new Promise<void>((resolve) => setImmediate(resolve))
    else if (gap !== 'at once') for (let job = 0; job < gap; job++) await Promise.resolve()
  }
}
