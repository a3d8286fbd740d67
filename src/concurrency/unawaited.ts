/**
 * Where the calls of the kit hand out their promises while debug mode is on, so that one that nobody awaits can be
 * told of. It watches nothing itself: who watches sets the hook, and nobody does unless debug mode is on.
 *
 * A call wraps what it returns, in the very function that the user calls, so that the frame below is the user's:
 *
 *     drain(options?: WaitOptions): Promise<void> {
 *       return watchUnawaited(this.#drain(options), 'StreamWriter.drain()')
 *     }
 *
 * Only calls whose promise should be awaited do so, and not `close()`, which may well be left to itself. Calls of the
 * kit among themselves go past it.
 */

/** Takes a promise that a call hands out, and gives one that settles likewise: the same, unless that is shared. */
export type UnawaitedHook = <T>(promise: Promise<T>, call: string) => Promise<T>

let hook: UnawaitedHook | undefined
let isMarking = false

/** Hands out a promise: one comparison when debug mode is off. `call` names the call: `StreamWriter.drain()`. */
export function watchUnawaited<T>(promise: Promise<T>, call: string): Promise<T> {
  return hook === undefined ? promise : hook(promise, call)
}

/** Marks a promise's rejection as handled, which does not count as awaiting it. */
export function markHandled(promise: Promise<unknown>): void {
  isMarking = true
  promise.catch(ignore)
  isMarking = false
}

/** Whether a promise that is made to wait for another one is made by {@link markHandled}. */
export function isMarkedHandled(): boolean {
  return isMarking
}

/** Sets the hook, or takes it away. */
export function setUnawaitedHook(next: UnawaitedHook | undefined): void {
  hook = next
}

function ignore(): void {}
