/** What every call that waits takes, and how it listens to its signal. */
import { LinkedList, type Linked } from './linked-list.js'

/** What every call that waits takes. */
export interface WaitOptions {
  /** Ends the wait; the call rejects with `signal.reason`. */
  signal?: AbortSignal | undefined
  /** Ends the wait after so many milliseconds with a TimeoutError. */
  timeoutMs?: number | undefined
}

const NOTHING = (): void => {}

/**
 * Who listens to each signal. A signal has one listener of ours however many calls wait on it, and none when none
 * does: Node walks all listeners of a signal for each that is added or taken away, so that 10,000 calls waiting on
 * one signal would cost 10,000 steps each, and Node 20 warns of a leak at the eleventh.
 */
const hubs = new WeakMap<AbortSignal, Hub>()

interface Listener extends Linked<Listener> {
  readonly call: () => void
}

class Hub {
  readonly #signal: AbortSignal
  readonly #listeners = new LinkedList<Listener>()

  constructor(signal: AbortSignal) {
    this.#signal = signal
  }

  add(call: () => void): () => void {
    if (this.#listeners.size === 0) this.#signal.addEventListener('abort', this.#callAll)
    const listener: Listener = { call, previous: undefined, next: undefined }
    this.#listeners.push(listener)
    return () => {
      if (this.#listeners.remove(listener) && this.#listeners.size === 0) this.#stop()
    }
  }

  readonly #callAll = (): void => {
    this.#stop()
    for (let one = this.#listeners.first; one !== undefined; one = this.#listeners.first) {
      this.#listeners.remove(one)
      one.call()
    }
  }

  #stop(): void {
    this.#signal.removeEventListener('abort', this.#callAll)
  }
}

/** Calls `listener` once when the signal aborts; the function it gives back stops listening. */
export function onAbort(signal: AbortSignal | undefined, listener: () => void): () => void {
  if (signal === undefined) return NOTHING
  let hub = hubs.get(signal)
  if (hub === undefined) {
    hub = new Hub(signal)
    hubs.set(signal, hub)
  }
  return hub.add(listener)
}

/** Settles as the promise does, or rejects with the signal's reason as soon as it aborts. The promise itself goes on. */
export function raceAbort<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  if (signal.aborted) {
    promise.catch(NOTHING)
    return Promise.reject(signal.reason)
  }
  return new Promise<T>((resolve, reject) => {
    const stopListening = onAbort(signal, () => {
      reject(signal.reason)
    })
    promise.then(
      (value) => {
        stopListening()
        resolve(value)
      },
      (error: unknown) => {
        stopListening()
        reject(error)
      },
    )
  })
}

/** Checks a `timeoutMs`. @throws RangeError unless it is undefined or a number above 0. */
export function checkTimeout(timeoutMs: number | undefined, name = 'timeoutMs'): void {
  if (timeoutMs !== undefined && !(timeoutMs > 0)) {
    throw new RangeError(`${name} must be a number of milliseconds above 0, not ${timeoutMs}`)
  }
}

/**
 * The rejection of a call whose options do not let it begin: a signal that has aborted, a `timeoutMs` that is none.
 * Undefined when it may. Every call that waits asks this before it does anything.
 */
export function refuseWait({ signal, timeoutMs }: WaitOptions): Promise<never> | undefined {
  if (signal?.aborted === true) return Promise.reject(signal.reason)
  try {
    checkTimeout(timeoutMs)
    return undefined
  } catch (error) {
    return Promise.reject(error)
  }
}
