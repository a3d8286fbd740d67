import { markHandled } from './unawaited.js'

/** A promise with its resolve and reject beside it (`Promise.withResolvers`, absent from Node 20). */
export interface Deferred<T = void> {
  readonly promise: Promise<T>
  readonly resolve: (value: T | PromiseLike<T>) => void
  readonly reject: (reason: unknown) => void
}

/** Makes a {@link Deferred}. */
export function deferred<T = void>(): Deferred<T> {
  let resolve!: Deferred<T>['resolve']
  let reject!: Deferred<T>['reject']
  const promise = new Promise<T>((resolvePromise, rejectPromise) => {
    resolve = resolvePromise
    reject = rejectPromise
  })
  return { promise, resolve, reject }
}

/** Marks a promise's rejection as handled: nobody needs to await it. Gives the same promise back. */
export function unobserved<T>(promise: Promise<T>): Promise<T> {
  markHandled(promise)
  return promise
}

/** A rejected promise that never ends the process when nobody awaits it. */
export function rejected<T = never>(reason: unknown): Promise<T> {
  return unobserved(Promise.reject<T>(reason as Error))
}
