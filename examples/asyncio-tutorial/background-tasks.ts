/** The tasks of a loop of their own: a thread loads this module, and calls its functions. */
import { writeSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'

export interface BackgroundTask {
  readonly name: string
  readonly ms: number
  /** In memory that both threads have: becomes 1 when the task is done. */
  readonly done?: Int32Array
}

export async function backgroundTask(task: BackgroundTask, signal: AbortSignal): Promise<string> {
  const { name, ms, done } = task
  say(`background task ${name} begins`)
  await setTimeout(ms, undefined, { signal })
  say(`background task ${name} is done`)
  if (done !== undefined) {
    Atomics.store(done, 0, 1)
    Atomics.notify(done, 0)
  }
  return `result of task ${name}`
}

/** Is answered when all that was sent before has begun. */
export function begun(): void {}

/** At once: what a thread writes by `console.log` is written by the main thread, when that has a turn. */
function say(line: string): void {
  writeSync(1, `${line}\n`)
}
