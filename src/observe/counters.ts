/**
 * What happened how often, by a label: refusals by their reason, ends of connections by their kind.
 *
 * Counts only go up, and are never taken back or reset, so that a reader who asks every ten seconds can take the
 * difference. The number of labels is bounded, whoever chooses them: a peer must not be able to fill the memory
 * with names. It imports nothing, so that any room may count.
 *
 * Invariant: `total` is the sum of all counts; a label is counted under its own name or under {@link OTHER_LABEL}.
 */

/** Where labels are counted for which there was no room. */
export const OTHER_LABEL = '(other)'

/** Which labels {@link Counters} have. */
export interface CountersOptions<Label extends string> {
  /**
   * Labels that are there from the start, with 0. When they are given and `maxLabels` is not, there are no others:
   * what else is counted is a TypeError.
   */
  labels?: readonly Label[] | undefined
  /**
   * So many labels may there be, those of the start included; each further one is counted as {@link OTHER_LABEL}.
   * @default 64, or the number of `labels`
   */
  maxLabels?: number | undefined
}

/** Arbitrary: more than a person reads, and a few KiB. */
const DEFAULT_MAX_LABELS = 64

interface Count {
  value: number
}

/**
 * Counts by label. An increment is one look-up in a map, about 10 ns, and makes no garbage.
 *
 * ```ts
 * const refused = new Counters('refused', { labels: ['denied', 'max-connections'] })
 * refused.increment('denied')
 * console.log(refused.total, refused.snapshot()) // 1 { denied: 1, 'max-connections': 0 }
 * ```
 */
export class Counters<Label extends string = string> {
  /** What is counted, as one word for a table or a metric: `refused`. */
  readonly name: string

  readonly #counts = new Map<string, Count>()
  readonly #maxLabels: number
  readonly #isClosedSet: boolean
  #total = 0

  /** @throws TypeError when `name` is empty; RangeError when `maxLabels` is less than 1 or than there are labels */
  constructor(name: string, { labels, maxLabels }: CountersOptions<Label> = {}) {
    if (typeof name !== 'string' || name === '') {
      throw new TypeError(
        `name must be a word that says what is counted, not ${JSON.stringify(name)}`,
      )
    }
    this.name = name
    for (const label of labels ?? []) this.#counts.set(label, { value: 0 })
    const atLeast = Math.max(1, this.#counts.size)
    if (maxLabels !== undefined && !(maxLabels >= atLeast)) {
      throw new RangeError(`maxLabels must be a number, ${atLeast} or above, not ${maxLabels}`)
    }
    this.#isClosedSet = labels !== undefined && maxLabels === undefined
    this.#maxLabels = maxLabels ?? DEFAULT_MAX_LABELS
  }

  /** The sum of all counts. */
  get total(): number {
    return this.#total
  }

  /**
   * Counts.
   *
   * @param by How many at once; 0 changes nothing.
   * @throws TypeError when the set of labels is closed and has none of that name
   * @throws RangeError when `by` is not a whole number, 0 or above
   */
  increment(label: Label, by = 1): void {
    if (!Number.isSafeInteger(by) || by < 0) {
      throw new RangeError(`by must be a whole number, 0 or above, not ${by}`)
    }
    const count = this.#counts.get(label) ?? this.#newCount(label)
    count.value += by
    this.#total += by
  }

  /** How often it was counted; 0 for a label that was not, or not under its own name. */
  get(label: Label | typeof OTHER_LABEL): number {
    return this.#counts.get(label)?.value ?? 0
  }

  /** All counts as they are now, as a plain object. Labels of the start are there with 0, others once counted. */
  snapshot(): Record<Label, number> & { [OTHER_LABEL]?: number } {
    const entries = [...this.#counts].map(([label, { value }]): [string, number] => [label, value])
    return Object.fromEntries(entries) as Record<Label, number>
  }

  /** The snapshot: what `JSON.stringify` writes. */
  toJSON(): Record<Label, number> {
    return this.snapshot()
  }

  #newCount(label: string): Count {
    if (this.#isClosedSet) {
      const known = [...this.#counts.keys()].join(', ')
      throw new TypeError(`label must be one of those of ${this.name} (${known}), not ${label}`)
    }
    const isFull = this.#counts.size >= this.#maxLabels
    const name = isFull ? OTHER_LABEL : label
    const count = this.#counts.get(name) ?? { value: 0 }
    this.#counts.set(name, count)
    return count
  }
}
