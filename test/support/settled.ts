/** How a promise stands: for tests of what must still wait, or must have settled within so many turns of the loop. */

export interface Watched<T> {
  readonly promise: Promise<T>
  state: 'pending' | 'resolved' | 'rejected'
  value: T | undefined
  error: unknown
}

/** Watches a promise. Its rejection counts as handled. */
export function watch<T>(promise: Promise<T>): Watched<T> {
  const watched: Watched<T> = { promise, state: 'pending', value: undefined, error: undefined }
  promise.then(
    (value) => {
      watched.state = 'resolved'
      watched.value = value
    },
    (error: unknown) => {
      watched.state = 'rejected'
      watched.error = error
    },
  )
  return watched
}

/** The error that a promise rejects with. @throws Error when it resolves */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  let value: unknown
  try {
    value = await promise
  } catch (error) {
    return error
  }
  throw new Error(`it should have rejected, and resolved with ${String(value)}`)
}
