/**
 * Routes and routers as they look from the router that theirs is mounted in: the prefix before each pattern, and one
 * more scope on the way to each handler. It registers nothing.
 */
import type { HttpRequest } from './http-request.js'
import type { HttpHandler } from './http-response.js'
import { joinPatterns, parsePattern, type RoutePattern } from './route-pattern.js'
import type { Answer, RouteScope } from './route-scope.js'
import type { Route } from './route-tree.js'

/** A router on the way to a handler, and how many segments of the path lead to it. */
export interface Passage {
  readonly scope: RouteScope
  readonly depth: number
}

/** A handler, and the way to it, the outermost first. */
export interface Endpoint {
  readonly handler: HttpHandler
  readonly way: readonly Passage[]
}

/** Where a router is mounted, and the way to it. */
export interface Mount {
  /** Without a slash at the end. */
  readonly prefix: RoutePattern
  readonly way: readonly Passage[]
}

/** Where something is mounted: in which router, by the way to that, and at which prefix. */
export interface MountPoint {
  readonly way: readonly Passage[]
  readonly prefix: RoutePattern
}

/** Goes through the scopes from `at` on, and then to the handler. */
export function enter(
  way: readonly Passage[],
  at: number,
  request: HttpRequest,
  handler: HttpHandler,
): Answer {
  const passage = way[at]
  if (passage === undefined) return handler(request)
  return passage.scope.enter(request, passage.depth, () => enter(way, at + 1, request, handler))
}

/** A route of a router, as one of what that is mounted in. */
export function routeUnder(
  point: MountPoint,
  { method, pattern, value }: Route<Endpoint>,
): Route<Endpoint> {
  return {
    method,
    pattern: joinPatterns(point.prefix, pattern),
    value: { handler: value.handler, way: wayUnder(point, value.way) },
  }
}

/** The same for what is mounted in the router. */
export function mountUnder(point: MountPoint, { prefix, way }: Mount): Mount {
  return {
    prefix: withoutSlash(joinPatterns(point.prefix, prefix)),
    way: wayUnder(point, way),
  }
}

function wayUnder({ way, prefix }: MountPoint, inner: readonly Passage[]): readonly Passage[] {
  const more = withoutSlash(prefix).segments.length
  return [...way, ...inner.map(({ scope, depth }) => ({ scope, depth: depth + more }))]
}

/** A pattern that others can be put behind. @throws TypeError for what is no pattern, and for one with a tail */
export function parsePrefix(text: string): RoutePattern {
  const pattern = parsePattern(text)
  if (pattern.hasTail) throw new TypeError(`prefix ${text}: a prefix has no tail`)
  return pattern
}

/** A prefix ends with its last segment, whether or not there is a slash behind it. */
export function withoutSlash(pattern: RoutePattern): RoutePattern {
  if (pattern.segments.at(-1) !== '') return pattern
  return { ...pattern, segments: pattern.segments.slice(0, -1) }
}
