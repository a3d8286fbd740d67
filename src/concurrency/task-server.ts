/**
 * What runs in the thread of a worker loop: it loads a module and calls what that exports.
 *
 * The thread gets it as source text, not as a file, so that it is found wherever this package has been bundled to.
 * So `serveTasks` may use nothing but its arguments and what the language gives.
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

/** What `serveTasks` needs from outside. */
export interface TaskServerParts {
  readonly load: (url: string) => Promise<Readonly<Record<string, unknown>>>
  readonly exit: () => void
  readonly toWire: (thrown: unknown) => ThrownOnWire
  readonly fromWire: (wire: ThrownOnWire) => unknown
}

/** Answers what comes from a port. */
export function serveTasks(
  port: TaskPort,
  { load, exit, toWire, fromWire }: TaskServerParts,
): void {
  const controllers = new Map<number, AbortController>()
  let tasks: Readonly<Record<string, unknown>> = {}

  const call = async (id: number, name: string, input: unknown): Promise<void> => {
    const controller = new AbortController()
    controllers.set(id, controller)
    try {
      const task = tasks[name] as (input: unknown, signal: AbortSignal) => unknown
      // A result that cannot be cloned is thrown here as well.
      port.postMessage({ kind: 'value', id, value: await task(input, controller.signal) })
    } catch (error) {
      port.postMessage({ kind: 'error', id, error: toWire(error) })
    } finally {
      controllers.delete(id)
    }
  }

  port.on('messageerror', (error) => {
    throw error
  })
  port.on('message', (message) => {
    if (message.kind === 'call') {
      void call(message.id, message.name, message.input)
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

/**
 * The program of the thread. It may be run as a CommonJS script or as a module, so it uses neither `require` nor a static
 * import. A bundler that keeps names wraps functions in a helper of its own, which would be missing there.
 */
export function taskServerSource(): string {
  return `
    globalThis.__name ??= (fn) => fn
    const { parentPort } = process.getBuiltinModule('node:worker_threads')
    ;(${String(serveTasks)})(parentPort, {
      load: (url) => import(url),
      exit: () => process.exit(),
      toWire: (${String(thrownToWire)}),
      fromWire: (${String(thrownFromWire)}),
    })
  `
}
