/**
 * A signal of our own below those of others: it aborts when one of them does, when its time is over, or when its owner
 * says so, whichever comes first. What sits in the scope hears of all three from one signal.
 *
 * Made with `onAbort` and one controller, not with `AbortSignal.any`, which keeps memory for each call on the signal
 * that outlives them (Node 20 to 26). Its owner closes it, always: afterwards no listener and no timer is left.
 */
import { setMaxListeners } from 'node:events'
import { TimeoutError } from '../errors.js'
import { onAbort } from './abort.js'
import { setAlarm } from './alarm.js'
import { systemClock, type Clock } from './clock.js'
import { startTask, type TaskFunction } from './start-task.js'

/** What ends a scope besides the signals above it. */
export interface AbortScopeOptions {
  /** How long it may take, in milliseconds. @default Infinity */
  timeoutMs?: number | undefined
  /** What is left of that. @default all of it */
  leftMs?: number | undefined
  /** @default the clock of the process */
  clock?: Clock | undefined
  /** What takes that long, for the message: `withTimeout()`. */
  what?: string | undefined
  /** What else led there: the `cause` of the TimeoutError. */
  causeOfTimeout?: (() => unknown) | undefined
}

export class AbortScope {
  readonly #controller = controllerForMany()
  readonly #outer: readonly AbortSignal[]
  readonly #stops: (() => void)[] = []

  /** @param signals The signals above it; undefined ones are left out. */
  constructor(signals: readonly (AbortSignal | undefined)[], options: AbortScopeOptions = {}) {
    const { timeoutMs = Infinity, leftMs = timeoutMs, clock = systemClock } = options
    const { what = 'the call', causeOfTimeout } = options
    this.#outer = signals.filter((signal) => signal !== undefined)
    for (const signal of this.#outer) {
      if (signal.aborted) this.abort(signal.reason)
      this.#stops.push(onAbort(signal, () => this.abort(signal.reason)))
    }
    if (timeoutMs === Infinity) return
    const expire = (): void => {
      const cause = causeOfTimeout?.()
      const message = `${what}: not done within ${timeoutMs} ms`
      this.abort(new TimeoutError(message, 'call', timeoutMs, { cause }))
    }
    this.#stops.push(setAlarm(expire, leftMs, clock))
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Aborts; only the first reason counts. */
  abort(reason: unknown): void {
    this.#controller.abort(reason)
  }

  /** Stops listening, and the clock. The signal stays as it is. */
  close(): void {
    for (const stop of this.#stops.splice(0)) stop()
  }

  /**
   * Whether an error is nothing but the abort of this scope: the reason itself, that of a signal above it, or an
   * AbortError around it, as Node's own functions throw. An AbortError without a cause counts as well.
   */
  explains(error: unknown): boolean {
    if (!this.signal.aborted) return false
    if (this.#isReason(error)) return true
    if (!(error instanceof Error) || error.name !== 'AbortError') return false
    return error.cause === undefined || this.#isReason(error.cause)
  }

  /**
   * Runs the function, waits until it has settled, and closes the scope. A value is a value, however late it is.
   * An error that is nothing but the abort comes out as the reason of the outermost signal that aborted, and only
   * then as our own.
   */
  async run<T>(fn: TaskFunction<T>): Promise<T> {
    try {
      return await startTask(fn, this.signal)
    } catch (error) {
      if (!this.explains(error)) throw error
      const above = this.#outer.find(({ aborted }) => aborted)
      throw (above ?? this.signal).reason
    } finally {
      this.close()
    }
  }

  #isReason(value: unknown): boolean {
    if (value === this.signal.reason) return true
    return this.#outer.some(({ aborted, reason }) => aborted && value === reason)
  }
}

/** A controller whose signal many may listen to: Node 20 takes the eleventh listener for a leak, and says so. */
export function controllerForMany(): AbortController {
  const controller = new AbortController()
  setMaxListeners(0, controller.signal)
  return controller
}

/** The reason of an abort that we bring about: what Node's own aborts look like, with what led to it as the cause. */
export function abortError(message: string, cause?: unknown): Error {
  const error = new Error(message, cause === undefined ? undefined : { cause })
  error.name = 'AbortError'
  return Object.assign(error, { code: 'ABORT_ERR' })
}
