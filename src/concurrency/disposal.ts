/** How a resource is cleaned up that says so itself. */

/** Something that can be cleaned up by itself. As with `using`, `null` and `undefined` need not be. */
export type Resource = AsyncDisposable | Disposable | null | undefined

/** Calls `[Symbol.asyncDispose]()` or else `[Symbol.dispose]()`; undefined when the value has neither. */
export function disposerOf(value: unknown): (() => unknown) | undefined {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return undefined
  const disposable = value as Partial<AsyncDisposable & Disposable>
  const dispose = disposable[Symbol.asyncDispose] ?? disposable[Symbol.dispose]
  return typeof dispose === 'function' ? () => dispose.call(value) : undefined
}

/** The class of a value, for messages; empty when that says nothing. */
export function classNameOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return ''
  const { constructor } = value as { constructor?: unknown }
  return typeof constructor === 'function' && constructor !== Object ? constructor.name : ''
}
