/**
 * Routes by the segments of their patterns: a map a level, no regular expression, no order of registration.
 *
 * It finds the most specific route that takes the method: at each segment a static one before a param, and both
 * before a tail. Where a branch comes to nothing its siblings are tried; each node is visited at most once for a
 * path, so that what a path can cost is bounded by the patterns that it fits, whoever sends it.
 *
 * It refuses a second route for the same method and shape when it is added. What an answer to no match is, is not
 * decided here.
 *
 * Invariant: `#exact` has the leaf of each pattern that is static and reads the same encoded and decoded; such a
 * leaf comes before every other that its path can reach.
 */
import { isDotSegment, joinTail, splitPath } from './path-segments.js'
import type { RoutePattern } from './route-pattern.js'

/** How a {@link RouteTree} is made. */
export interface RouteTreeOptions {
  /** `/a` and `/a/` are the same. @default false */
  ignoreTrailingSlash?: boolean | undefined
}

/** A route that was added. */
export interface Route<T> {
  /** Undefined for one that takes every method. */
  readonly method: string | undefined
  readonly pattern: RoutePattern
  readonly value: T
}

/** What a path has matched. */
export interface RouteMatch<T> {
  readonly route: Route<T>
  /** The values of the params, in the order of `route.pattern.names`. */
  readonly values: readonly string[]
}

/** All routes of one shape. */
class Leaf<T> {
  readonly byMethod = new Map<string, Route<T>>()
  any: Route<T> | undefined

  /** HEAD is answered as GET is, unless it has a route of its own (RFC 9110, section 9.3.2). */
  find(method: string): Route<T> | undefined {
    return (
      this.byMethod.get(method) ??
      (method === 'HEAD' ? this.byMethod.get('GET') : undefined) ??
      this.any
    )
  }
}

class Node<T> {
  readonly statics = new Map<string, Node<T>>()
  param: Node<T> | undefined
  /** Routes that end here. */
  leaf: Leaf<T> | undefined
  /** Routes whose tail begins here. */
  tail: Leaf<T> | undefined
}

/** What a path is compared with. */
interface Path {
  readonly segments: readonly string[]
  /** How many of them count; without the empty one behind a trailing slash that is ignored. */
  readonly length: number
}

const NO_VALUES: readonly string[] = []

export class RouteTree<T> {
  readonly #ignoreTrailingSlash: boolean
  readonly #root = new Node<T>()
  readonly #exact = new Map<string, Leaf<T>>()

  constructor({ ignoreTrailingSlash = false }: RouteTreeOptions = {}) {
    this.#ignoreTrailingSlash = ignoreTrailingSlash
  }

  /** @throws RangeError when a route of the same method and shape is there; the tree is then as it was */
  add(route: Route<T>): void {
    this.check(route)
    const leaf = this.#leafFor(route.pattern)
    if (route.method === undefined) leaf.any = route
    else leaf.byMethod.set(route.method, route)
  }

  /** Adds nothing. @throws RangeError when `add()` would */
  check({ method, pattern }: Route<T>): void {
    const leaf = this.#findLeaf(pattern)
    const present = method === undefined ? leaf?.any : leaf?.byMethod.get(method)
    if (present === undefined) return
    throw new RangeError(
      `${method ?? 'every method of'} ${pattern.text} is the same as ${present.pattern.text}, which has a route already`,
    )
  }

  /**
   * The most specific route for a method and a path as it was received; undefined when there is none. A path with a
   * dot segment, encoded or not, has none; an empty segment is taken by tails alone.
   *
   * @throws URIError for a path with an escape that is none, or with escaped bytes that are not UTF-8
   */
  match(method: string, path: string): RouteMatch<T> | undefined {
    const exact = this.#exact.get(path)?.find(method)
    if (exact !== undefined) return { route: exact, values: NO_VALUES }
    const parts = this.#split(path)
    if (parts === undefined) return undefined
    const params: string[] = []
    const found = this.#search(this.#root, parts, 0, params, (leaf) => leaf.find(method))
    return found === undefined ? undefined : { route: found, values: params }
  }

  /**
   * The methods of all routes that a path fits, whatever the method: what `Allow` is made of. Empty when a tail at
   * the root is all that it fits: it would make every path exist.
   *
   * @throws URIError as `match()`
   */
  methodsAt(path: string): Set<string> {
    const methods = new Set<string>()
    const parts = this.#split(path)
    if (parts === undefined) return methods
    let exists = false
    this.#search(this.#root, parts, 0, [], (leaf) => {
      exists ||= leaf !== this.#root.tail
      for (const method of leaf.byMethod.keys()) methods.add(method)
      return undefined
    })
    if (!exists) methods.clear()
    return methods
  }

  #split(path: string): Path | undefined {
    if (!path.startsWith('/')) return undefined
    const segments = splitPath(path)
    if (segments.some(isDotSegment)) return undefined
    const isLastIgnored = this.#ignoreTrailingSlash && segments.at(-1) === ''
    return { segments, length: isLastIgnored ? segments.length - 1 : segments.length }
  }

  /** The first that `pick` gives of the leaves that fit, the most specific first; `values` are those of its params. */
  #search(
    node: Node<T>,
    path: Path,
    depth: number,
    values: string[],
    pick: (leaf: Leaf<T>) => Route<T> | undefined,
  ): Route<T> | undefined {
    if (depth === path.length) {
      const found = node.leaf === undefined ? undefined : pick(node.leaf)
      if (found !== undefined) return found
    } else {
      const segment = path.segments[depth] as string
      const branch = node.statics.get(segment)
      const found = branch && this.#search(branch, path, depth + 1, values, pick)
      if (found !== undefined) return found
      if (node.param !== undefined && segment !== '') {
        values.push(segment)
        const other = this.#search(node.param, path, depth + 1, values, pick)
        if (other !== undefined) return other
        values.pop()
      }
    }
    // A tail begins behind a slash. With the slash at the end ignored there is one behind every segment.
    if (node.tail === undefined || (depth === path.segments.length && !this.#ignoreTrailingSlash)) {
      return undefined
    }
    const found = pick(node.tail)
    if (found !== undefined) values.push(joinTail(path.segments, depth))
    return found
  }

  #leafFor(pattern: RoutePattern): Leaf<T> {
    let node = this.#root
    for (const segment of this.#segmentsOf(pattern)) {
      let next = segment === null ? node.param : node.statics.get(segment)
      if (next === undefined) {
        next = new Node()
        if (segment === null) node.param = next
        else node.statics.set(segment, next)
      }
      node = next
    }
    if (pattern.hasTail) return (node.tail ??= new Leaf())
    node.leaf ??= new Leaf()
    this.#addExact(pattern, node.leaf)
    return node.leaf
  }

  #findLeaf(pattern: RoutePattern): Leaf<T> | undefined {
    let node: Node<T> | undefined = this.#root
    for (const segment of this.#segmentsOf(pattern)) {
      node = segment === null ? node?.param : node?.statics.get(segment)
    }
    return pattern.hasTail ? node?.tail : node?.leaf
  }

  #segmentsOf({ segments, hasTail }: RoutePattern): readonly (string | null)[] {
    const isLastIgnored = this.#ignoreTrailingSlash && !hasTail && segments.at(-1) === ''
    return isLastIgnored ? segments.slice(0, -1) : segments
  }

  #addExact(pattern: RoutePattern, leaf: Leaf<T>): void {
    const segments = this.#segmentsOf(pattern)
    if (segments.some((segment) => segment === null || /[%/]/.test(segment))) return
    const path = `/${segments.join('/')}`
    this.#exact.set(path, leaf)
    if (this.#ignoreTrailingSlash && path !== '/') this.#exact.set(`${path}/`, leaf)
  }
}
