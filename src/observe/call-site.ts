/**
 * Where in the program a call of the kit came from. Stacks are taken when something begins, and written out only when
 * it is told of: taking one costs a few µs, writing it out ten times as much.
 */
import { fileURLToPath } from 'node:url'

/** Deep enough to pass the kit's own frames and reach `async main`. */
const FRAMES = 30

/** The folder of the kit, as its URL and as its path: stacks have either. Nothing where a bundler has mixed it up. */
const [kitUrl = ''] = /^file:.*\/(?:dist|src)\//.exec(import.meta.url) ?? []
const kitFolders = kitUrl === '' ? [] : [kitUrl, fileURLToPath(kitUrl)]

/** An error for its stack, which begins with the caller of `below`. */
export function takeStack(message: string, below: (...args: never[]) => unknown): Error {
  const limit = Error.stackTraceLimit
  // A stack that begins here is not wanted, and would cost as much again.
  Error.stackTraceLimit = 0
  const error = new Error(message)
  Error.stackTraceLimit = FRAMES
  Error.captureStackTrace(error, below)
  Error.stackTraceLimit = limit
  return error
}

/** Whether a frame, or the URL of a script, belongs to the program: not to the kit, to Node or to V8. */
export function isProgramFrame(frame: string): boolean {
  return frame !== '' && !frame.includes('node:') && !kitFolders.some((kit) => frame.includes(kit))
}

/**
 * The first frame of a stack that is the program's: `main (file:///app/main.js:3:9)`; '' without one.
 * @param skip So many frames at the top are calls, and not the place, whosever they are.
 */
export function placeOf(error: Error, skip = 0): string {
  const frames = (error.stack ?? '')
    .split('\n')
    .map((line) => /^\s+at (.+)$/.exec(line)?.[1])
    .filter((frame) => frame !== undefined)
    .slice(skip)
  // In a bundle the kit and the program are one file: then it is who called the call.
  return frames.find(isProgramFrame) ?? (skip > 0 ? (frames[0] ?? '') : '')
}
