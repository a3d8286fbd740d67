/**
 * What a program threw, or gave as a reason, before anybody looks at it: a Proxy, a getter or an inspection of one's own
 * can throw at each look, and who handles a fault must not fail over it.
 */
import { inspect } from 'node:util'

/**
 * The value itself when it can be looked at; otherwise an error in its place, which says that it could not. To be called
 * once, where a value of the program's comes in; behind it nobody need be careful.
 */
export function legible(thrown: unknown): unknown {
  if ((typeof thrown !== 'object' && typeof thrown !== 'function') || thrown === null) return thrown
  try {
    if (thrown instanceof Error) {
      const { name, message, stack } = thrown
      void `${name}${message}${stack}`
    } else inspect(thrown, { depth: 0 })
    return thrown
  } catch {
    return new Error('what was thrown cannot be looked at: looking at it throws')
  }
}
