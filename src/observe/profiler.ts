/**
 * What calls cost, by name: how many, how long, how many failed. Functions are wrapped, calls measured, or scopes
 * begun and ended by hand; each name has one histogram of a fixed size, and the number of names is bounded.
 *
 * It measures the time that passes, not the CPU: a call that awaits is measured until its promise settles. It never
 * changes what a call gives, throws or rejects with, samples no stacks, and prints nothing by itself.
 *
 * Invariant: of each name, `count` calls are over, `errors` of them failed, and `active` have begun and are not over.
 */
import { systemClock, type Clock } from '../concurrency/clock.js'
import { durationText } from './duration-text.js'
import { Histogram } from './histogram.js'
import { textTable } from './text-table.js'

/** How a {@link Profiler} measures. */
export interface ProfilerOptions {
  /**
   * So many names are kept apart; what comes under more of them is counted as `(other)`. Each takes 11 KiB.
   * @default 256
   */
  maxNames?: number | undefined
  /** @default the clock of the process */
  clock?: Clock | undefined
}

/** What the calls of one name have cost, in milliseconds. All are 0 as long as none is over. */
export interface ProfileEntry {
  readonly name: string
  /** How many are over, those that failed included. */
  readonly count: number
  /** How many threw or rejected, or were ended by `fail()`. */
  readonly errors: number
  /** How many have begun and are not over. */
  readonly active: number
  readonly totalMs: number
  readonly minMs: number
  readonly meanMs: number
  readonly maxMs: number
  /** Percentiles are at most 3.1 % too high, and never too low. */
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
}

/** One measurement that has begun. It is over once, at the first of `end()`, `fail()` and the end of its scope. */
export interface Span {
  /** Ends it. Gives how long it was, in milliseconds; the same again when it is over already. */
  end(): number
  /** Ends it and counts an error. Does nothing else than `end()` when it is over already. */
  fail(): number
  /** The same as `end()`: `using span = profiler.start('parse')`. */
  [Symbol.dispose](): void
}

/** A function of any kind. */
type AnyFunction = (this: never, ...args: never[]) => unknown

/** Where names are counted for which there was no room. */
const OTHER_NAME = '(other)'
/** Arbitrary: more than a table is read for, and 3 MiB. */
const DEFAULT_MAX_NAMES = 256
const NS_PER_MS = 1e6
/** 19.5 hours in ns: longer calls are known by their maximum alone. */
const HIGHEST_NS = 2 ** 46

class Operation {
  readonly name: string
  readonly durations = new Histogram({ highest: HIGHEST_NS })
  errors = 0
  active = 0

  constructor(name: string) {
    this.name = name
  }

  /** One is over. A clock of a test may go back, which is no time. */
  note(ms: number, hasFailed: boolean): void {
    this.active--
    if (hasFailed) this.errors++
    this.durations.record(Math.max(0, Math.round(ms * NS_PER_MS)))
  }

  entry(): ProfileEntry {
    const { count, total, min, mean, max, p50, p95, p99 } = this.durations.summary()
    return {
      name: this.name,
      count,
      errors: this.errors,
      active: this.active,
      totalMs: total / NS_PER_MS,
      minMs: min / NS_PER_MS,
      meanMs: mean / NS_PER_MS,
      maxMs: max / NS_PER_MS,
      p50Ms: p50 / NS_PER_MS,
      p95Ms: p95 / NS_PER_MS,
      p99Ms: p99 / NS_PER_MS,
    }
  }
}

class RunningSpan implements Span {
  readonly #operation: Operation
  readonly #clock: Clock
  readonly #startMs: number
  #tookMs: number | undefined

  constructor(operation: Operation, clock: Clock) {
    this.#operation = operation
    this.#clock = clock
    operation.active++
    this.#startMs = clock.now()
  }

  end(): number {
    return this.#finish(false)
  }

  fail(): number {
    return this.#finish(true)
  }

  [Symbol.dispose](): void {
    this.#finish(false)
  }

  #finish(hasFailed: boolean): number {
    if (this.#tookMs === undefined) {
      this.#tookMs = this.#clock.now() - this.#startMs
      this.#operation.note(this.#tookMs, hasFailed)
    }
    return this.#tookMs
  }
}

/**
 * Measures calls by name. It adds 0.1 to 0.2 µs to a call, of which 0.07 are two looks at the clock, and to one that gives
 * a promise one more promise. (`node bench/observe.mjs`, November 2026, Node 20 to 26.)
 *
 * ```ts
 * const profiler = new Profiler()
 * const fetchUser = profiler.wrap('fetch user', async (id: number) => { … })
 * await Promise.all([1, 2, 3].map(fetchUser))
 * console.log(profiler.table())
 * ```
 */
export class Profiler {
  readonly #clock: Clock
  readonly #maxNames: number
  readonly #operations = new Map<string, Operation>()

  /** @throws RangeError when `maxNames` is not a number above 0 */
  constructor({ maxNames = DEFAULT_MAX_NAMES, clock = systemClock }: ProfilerOptions = {}) {
    if (!(maxNames >= 1)) {
      throw new RangeError(`maxNames must be a number, 1 or above, not ${maxNames}`)
    }
    this.#clock = clock
    this.#maxNames = maxNames
  }

  /**
   * A function that does what `fn` does, with the same `this`, and is measured under `name` each time. One that gives
   * a promise is measured until that settles, and gives a promise that settles likewise. Of a generator only the
   * call is measured, not the loop over it.
   */
  wrap<F extends AnyFunction>(name: string, fn: F): F {
    checkFunction(fn)
    const operation = this.#operation(name)
    const clock = this.#clock
    const wrapped = function (this: unknown, ...args: unknown[]): unknown {
      return measured(operation, clock, () => Reflect.apply(fn, this, args))
    }
    return Object.defineProperty(wrapped, 'name', {
      value: fn.name,
      configurable: true,
    }) as unknown as F
  }

  /**
   * The same for a decorator of methods and for whoever has the name first: `@profiler.profile('fast operation')`, or
   * `profiler.profile('fast operation')(fn)`.
   */
  profile(name: string): <F extends AnyFunction>(fn: F, context?: unknown) => F {
    return (fn) => this.wrap(name, fn)
  }

  /**
   * Calls `fn`, gives what it gives, and measures it under `name`: until it returns, or until its promise settles.
   *
   * @throws what `fn` throws, and rejects with what it rejects with; both are counted as errors
   */
  measure<T>(name: string, fn: () => T): T {
    checkFunction(fn)
    return measured(this.#operation(name), this.#clock, fn)
  }

  /**
   * Begins a measurement under `name`, for what is no one call. It ends by `end()`, `fail()` or with its scope: a scope
   * that is left by an error counts as one only if `fail()` was called before.
   *
   * ```ts
   * using span = profiler.start('parse')
   * ```
   */
  start(name: string): Span {
    return new RunningSpan(this.#operation(name), this.#clock)
  }

  /** What was measured under a name so far; undefined when there is nothing, or it went to `(other)`. */
  get(name: string): ProfileEntry | undefined {
    return this.#operations.get(name)?.entry()
  }

  /** What was measured so far under all names, those with the most time in all first. */
  entries(): ProfileEntry[] {
    return [...this.#operations.values()]
      .map((operation) => operation.entry())
      .toSorted((one, other) => other.totalMs - one.totalMs)
  }

  /** The entries as a table for people: a line for each name below a header, aligned, with units. */
  table(): string {
    const rows = this.entries().map((entry) => [
      entry.name,
      String(entry.count),
      String(entry.errors),
      String(entry.active),
      ...[
        entry.totalMs,
        entry.minMs,
        entry.meanMs,
        entry.p50Ms,
        entry.p95Ms,
        entry.p99Ms,
        entry.maxMs,
      ].map(durationText),
    ])
    return textTable(HEADER, rows)
  }

  /** The table. */
  toString(): string {
    return this.table()
  }

  /** The entries: what `JSON.stringify` writes. */
  toJSON(): ProfileEntry[] {
    return this.entries()
  }

  /** Forgets what is over. The names stay, and so does what is running, which is counted when it ends. */
  reset(): void {
    for (const operation of this.#operations.values()) {
      operation.durations.reset()
      operation.errors = 0
    }
  }

  #operation(name: string): Operation {
    return this.#operations.get(name) ?? this.#newOperation(name)
  }

  #newOperation(name: string): Operation {
    if (typeof name !== 'string') throw new TypeError(`name must be a string, not ${typeof name}`)
    const isFull = this.#operations.size >= this.#maxNames
    const key = isFull ? OTHER_NAME : name
    const operation = this.#operations.get(key) ?? new Operation(key)
    this.#operations.set(key, operation)
    return operation
  }
}

const HEADER = [
  'name',
  'count',
  'errors',
  'active',
  'total',
  'min',
  'mean',
  'p50',
  'p95',
  'p99',
  'max',
]

function measured<T>(operation: Operation, clock: Clock, call: () => T): T {
  operation.active++
  const startMs = clock.now()
  let result: T
  try {
    result = call()
  } catch (error) {
    operation.note(clock.now() - startMs, true)
    throw error
  }
  if (!(result instanceof Promise)) {
    operation.note(clock.now() - startMs, false)
    return result
  }
  // A promise of its own: to hang handlers on the caller's would hide a rejection that nobody handles.
  return result.then(
    (value: unknown) => {
      operation.note(clock.now() - startMs, false)
      return value
    },
    (error: unknown) => {
      operation.note(clock.now() - startMs, true)
      throw error
    },
  ) as T
}

function checkFunction(fn: unknown): void {
  if (typeof fn !== 'function') throw new TypeError(`fn must be a function, not ${typeof fn}`)
}
