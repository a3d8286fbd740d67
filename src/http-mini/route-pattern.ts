/**
 * Patterns of paths, parsed once when a route is registered: static segments, `:name` for a whole segment, and one
 * `*name` for the tail. There are no expressions, no optional segments, and no two params in a segment: what matches
 * is then found without backtracking inside of a segment.
 */
import { isDotSegment } from './path-segments.js'

/** A pattern that can be matched. */
export interface RoutePattern {
  /** As it was written. */
  readonly text: string
  /** Its segments without the tail: a text is static and decoded; `null` takes any one segment. */
  readonly segments: readonly (string | null)[]
  /** Whether a tail takes what follows the segments. */
  readonly hasTail: boolean
  /** The names of the params in their order, that of the tail last. */
  readonly names: readonly string[]
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/**
 * Parses a pattern. Static segments may be written as they are (`/größe`) or encoded, which also makes literals of
 * what is special: `%3A` is a colon, `%2A` a star.
 *
 * @throws TypeError for a pattern that is none, saying why
 */
export function parsePattern(text: string): RoutePattern {
  if (typeof text !== 'string' || !text.startsWith('/')) {
    throw new TypeError(`a pattern must begin with a slash, not ${describe(text)}`)
  }
  const words = text.slice(1).split('/')
  const segments: (string | null)[] = []
  const names: string[] = []
  let hasTail = false
  for (const [at, word] of words.entries()) {
    const isLast = at === words.length - 1
    if (word.startsWith(':') || word.startsWith('*')) {
      addName(names, word, text)
      if (word.startsWith(':')) segments.push(null)
      else if (isLast) hasTail = true
      else throw new TypeError(`pattern ${text}: ${word} takes the whole tail, so it must be last`)
    } else {
      segments.push(parseStatic(word, isLast, text))
    }
  }
  return { text, segments, hasTail, names }
}

/**
 * The pattern of `inner` under `outer`: `/a` and `/b` make `/a/b`, as do `/a/` and `/b`. Where `inner` is `/` it is
 * `outer` itself.
 *
 * @throws TypeError when both name the same param, and when `outer` has a tail
 */
export function joinPatterns(outer: RoutePattern, inner: RoutePattern): RoutePattern {
  if (outer.hasTail) throw new TypeError(`pattern ${outer.text}: nothing can come behind a tail`)
  if (inner.text === '/') return outer
  const base = outer.segments.at(-1) === '' ? outer.segments.slice(0, -1) : outer.segments
  const text = outer.text.replace(/\/$/, '') + inner.text
  const names = [...outer.names]
  for (const name of inner.names) addName(names, `:${name}`, text)
  return { text, segments: [...base, ...inner.segments], hasTail: inner.hasTail, names }
}

function addName(names: string[], word: string, text: string): void {
  const name = word.slice(1)
  if (!NAME.test(name)) {
    throw new TypeError(
      `pattern ${text}: ${word} must be ${word.charAt(0)} and a name of letters, digits and _ (encode a literal one as %${word.startsWith(':') ? '3A' : '2A'})`,
    )
  }
  if (names.includes(name)) throw new TypeError(`pattern ${text}: ${name} is there twice`)
  names.push(name)
}

function parseStatic(word: string, isLast: boolean, text: string): string {
  if (/[:*]/.test(word)) {
    throw new TypeError(
      `pattern ${text}: a param is a whole segment, unlike ${word} (encode a literal : as %3A, * as %2A)`,
    )
  }
  if (/[?#]/.test(word)) throw new TypeError(`pattern ${text}: a path has no ? and no #`)
  const segment = decode(word, text)
  if (isDotSegment(segment) || (segment === '' && !isLast)) {
    throw new TypeError(`pattern ${text}: a segment that is ${describe(segment)} is never matched`)
  }
  return segment
}

function decode(word: string, text: string): string {
  try {
    return decodeURIComponent(word)
  } catch (error) {
    throw new TypeError(`pattern ${text}: ${word} has an escape that is none`, { cause: error })
  }
}

function describe(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : String(value)
}
