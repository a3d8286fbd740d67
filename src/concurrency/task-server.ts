/**
 * What runs in the thread of a worker loop: it loads a module and calls what that exports.
 *
 * The thread gets it as source text, not as a file, so that it is found wherever this package has been bundled to.
 * So what it gets may use nothing but its arguments and what the language gives, and no function in it may have a name:
 * a bundler that keeps names (esbuild) would wrap it in a helper of its own, which is not there.
 */
import { thrownFromWire, thrownToWire, type ThrownOnWire } from './thread-error.js'

/** What a thread is told. */
export type ToThread =
  | { readonly kind: 'load'; readonly url: string }
  | { readonly kind: 'call'; readonly id: number; readonly name: string; readonly input: unknown }
  | { readonly kind: 'abort'; readonly id: number; readonly reason: ThrownOnWire }
  | { readonly kind: 'exit' }

/** What a thread tells. */
export type FromThread =
  | { readonly kind: 'ready'; readonly names: readonly string[] }
  | { readonly kind: 'unready'; readonly error: ThrownOnWire }
  | { readonly kind: 'value'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'error'; readonly id: number; readonly error: ThrownOnWire }

/** The part of a MessagePort that is used. */
export interface TaskPort {
  on(event: 'message', listener: (message: ToThread) => void): unknown
  on(event: 'messageerror', listener: (error: Error) => void): unknown
  postMessage(message: FromThread): void
}

/** The functions that `serveTasks` uses. */
export interface TaskServerParts {
  readonly load: (url: string) => Promise<Readonly<Record<string, unknown>>>
  readonly exit: () => void
  readonly answer: typeof answerCall
  readonly toWire: (thrown: unknown) => ThrownOnWire
  readonly fromWire: (wire: ThrownOnWire) => unknown
}

/** Calls a task, and posts what it comes to. Never rejects. */
export async function answerCall(
  port: TaskPort,
  id: number,
  call: () => unknown,
  toWire: TaskServerParts['toWire'],
): Promise<void> {
  try {
    // A result that cannot be cloned is thrown here as well.
    port.postMessage({ kind: 'value', id, value: await call() })
  } catch (error) {
    port.postMessage({ kind: 'error', id, error: toWire(error) })
  }
}

/** Answers what comes from a port. */
export function serveTasks(port: TaskPort, parts: TaskServerParts): void {
  const { load, exit, answer, toWire, fromWire } = parts
  const controllers = new Map<number, AbortController>()
  let tasks: Readonly<Record<string, unknown>> = {}

  port.on('messageerror', (error) => {
    throw error
  })
  port.on('message', (message) => {
    if (message.kind === 'call') {
      const { id, name, input } = message
      const controller = new AbortController()
      controllers.set(id, controller)
      const task = tasks[name] as (input: unknown, signal: AbortSignal) => unknown
      void answer(port, id, () => task(input, controller.signal), toWire).then(() => {
        controllers.delete(id)
      })
    } else if (message.kind === 'abort') {
      controllers.get(message.id)?.abort(fromWire(message.reason))
    } else if (message.kind === 'exit') {
      exit()
    } else {
      load(message.url).then(
        (module) => {
          tasks = module
          const names = Object.keys(module).filter((name) => typeof module[name] === 'function')
          port.postMessage({ kind: 'ready', names })
        },
        (error: unknown) => {
          port.postMessage({ kind: 'unready', error: toWire(error) })
        },
      )
    }
  })
}

/** The program of the thread. It may be run as a script or as a module, so it has neither `require` nor `import … from`. */
export function taskServerSource(): string {
  return `
    const { parentPort } = process.getBuiltinModule('node:worker_threads')
    ;(${String(serveTasks)})(parentPort, {
      load: (url) => import(url),
      exit: () => process.exit(),
      answer: (${String(answerCall)}),
      toWire: (${String(thrownToWire)}),
      fromWire: (${String(thrownFromWire)}),
    })
  `
}
