/**
 * Which handler answers a request: by its method and path, through what it passes on the way, and what is answered
 * where no route fits.
 *
 * It parses no bytes and knows no connection. Routes are found by {@link RouteTree}; the order in which they were
 * registered means nothing, except among middleware.
 *
 * Invariant: a request whose way has no middleware is answered without a promise of the router's. A router that is
 * mounted hands its routes to those that it is mounted in, so that one tree has them all and a conflict is found
 * when it is made; a registration that is refused changes nothing.
 */
import { HttpError } from './http-error.js'
import type { HttpRequest } from './http-request.js'
import { response, type HttpHandler, type Middleware } from './http-response.js'
import {
  enter,
  mountUnder,
  parsePrefix,
  routeUnder,
  withoutSlash,
  type Endpoint,
  type Mount,
  type MountPoint,
  type Passage,
} from './mount-point.js'
import type { PathParams } from './path-params.js'
import { splitPath } from './path-segments.js'
import { parsePattern } from './route-pattern.js'
import { beginsWith, RouteScope, type Answer, type HttpErrorHandler } from './route-scope.js'
import { RouteTree, type Route } from './route-tree.js'

/** How a {@link Router} is made. */
export interface RouterOptions {
  /**
   * Whether `/a` and `/a/` are the same, for patterns and for paths; a tail is as it was sent all the same. Of routers
   * that are mounted in one another the outermost decides. @default false
   */
  ignoreTrailingSlash?: boolean | undefined
}

/** For `Router.route()`. */
export interface RouteOptions {
  /** The methods that it takes, as they are sent. @default every one, also those that nobody has heard of */
  methods?: readonly string[] | undefined
}

/** What a router is mounted in. */
interface Parent extends MountPoint {
  readonly router: AnyRouter
}

/** A router, whatever the params of its pattern are. */
type AnyRouter = Router<never>

declare const kOuter: unique symbol

/** A router that can be mounted at a pattern with these params. */
export interface Mountable<Params extends object> {
  /** For the types alone; it does not exist. */
  readonly [kOuter]: (params: Params) => void
}

const ROOT = parsePattern('/')
const TOKEN = /^[!#$%&'*+.^_`|~\w-]+$/
const COMMON_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
/** What every router knows, whatever its routes (RFC 9110, section 9.1), and what it answers by itself. */
const ALWAYS_KNOWN = ['GET', 'HEAD', 'OPTIONS']
const NO_PARAMS = Object.freeze(Object.create(null) as Record<string, string>)

/**
 * Routes requests to handlers.
 *
 * Patterns are static (`/users`), have params that take a whole segment (`/users/:id`), and may end in a tail
 * (`/files/*path`). The most specific route that takes the method wins: static before param before tail, segment by
 * segment. Each segment is decoded once; what is malformed is 400. Dot segments match nothing, empty ones a tail alone.
 *
 * HEAD is answered as GET is, without the body, unless it has a route of its own, and OPTIONS with 204 and `Allow`. A
 * path that has routes for other methods alone is 405 with `Allow`; a method that no route uses is 501; everything else
 * is 404. A tail at the root does not make every path one that exists.
 *
 * ```ts
 * const router = new Router()
 *   .get('/', () => 'hello\n')
 *   .get('/users/:id', ({ params }) => ({ id: params.id }))
 * const server = await startHttpServer(router, { port: 8080 })
 * ```
 *
 * @typeParam Outer The params that the pattern has at which it will be mounted: `new Router<{ tenant: string }>()`
 */
export class Router<Outer extends object = object> implements Mountable<Outer> {
  declare readonly [kOuter]: (params: Outer) => void

  readonly #ignoreTrailingSlash: boolean
  readonly #tree: RouteTree<Endpoint>
  readonly #scope = new RouteScope()
  readonly #way: readonly Passage[] = [{ scope: this.#scope, depth: 0 }]
  /** All routes, those of the routers that are mounted in it included. */
  readonly #routes: Route<Endpoint>[] = []
  /** All routers that are mounted in it, at any depth. */
  readonly #mounts: Mount[] = []
  readonly #parents: Parent[] = []
  readonly #methods = new Set<string>(ALWAYS_KNOWN)

  /** The same, for routers of all kinds of params. */
  readonly #any = this as unknown as AnyRouter

  constructor({ ignoreTrailingSlash = false }: RouterOptions = {}) {
    this.#ignoreTrailingSlash = ignoreTrailingSlash
    this.#tree = new RouteTree({ ignoreTrailingSlash })
  }

  /**
   * Registers a handler for GET, and for HEAD where that has no route of its own.
   *
   * @throws TypeError for a pattern that is none, or a handler that is no function
   * @throws RangeError when there is a route for the same method and shape already, here or where it is mounted
   */
  get<const Pattern extends string>(
    pattern: Pattern,
    handler: HttpHandler<PathParams<Pattern> & Outer>,
  ): this {
    return this.#register(['GET'], pattern, handler)
  }

  /** Registers a handler for POST. @throws TypeError, RangeError as `get()` */
  post<const Pattern extends string>(
    pattern: Pattern,
    handler: HttpHandler<PathParams<Pattern> & Outer>,
  ): this {
    return this.#register(['POST'], pattern, handler)
  }

  /** Registers a handler for PUT. @throws TypeError, RangeError as `get()` */
  put<const Pattern extends string>(
    pattern: Pattern,
    handler: HttpHandler<PathParams<Pattern> & Outer>,
  ): this {
    return this.#register(['PUT'], pattern, handler)
  }

  /** Registers a handler for PATCH. @throws TypeError, RangeError as `get()` */
  patch<const Pattern extends string>(
    pattern: Pattern,
    handler: HttpHandler<PathParams<Pattern> & Outer>,
  ): this {
    return this.#register(['PATCH'], pattern, handler)
  }

  /** Registers a handler for DELETE. @throws TypeError, RangeError as `get()` */
  delete<const Pattern extends string>(
    pattern: Pattern,
    handler: HttpHandler<PathParams<Pattern> & Outer>,
  ): this {
    return this.#register(['DELETE'], pattern, handler)
  }

  /** Registers a handler for HEAD, in place of that for GET. @throws TypeError, RangeError as `get()` */
  head<const Pattern extends string>(
    pattern: Pattern,
    handler: HttpHandler<PathParams<Pattern> & Outer>,
  ): this {
    return this.#register(['HEAD'], pattern, handler)
  }

  /** Registers a handler for OPTIONS, in place of the answer with `Allow`. @throws TypeError, RangeError as `get()` */
  options<const Pattern extends string>(
    pattern: Pattern,
    handler: HttpHandler<PathParams<Pattern> & Outer>,
  ): this {
    return this.#register(['OPTIONS'], pattern, handler)
  }

  /** Registers a handler for every method that the pattern has no other route for. The same as `route()`. */
  all<const Pattern extends string>(
    pattern: Pattern,
    handler: HttpHandler<PathParams<Pattern> & Outer>,
  ): this {
    return this.#register(undefined, pattern, handler)
  }

  /**
   * Registers a handler for any method, or for those of `methods`, which may be of one's own.
   *
   * @throws TypeError for a pattern that is none, a handler that is no function, or a method that is no token
   * @throws RangeError as `get()`; then none of the methods is registered
   */
  route<const Pattern extends string>(
    pattern: Pattern,
    handler: HttpHandler<PathParams<Pattern> & Outer>,
    { methods }: RouteOptions = {},
  ): this {
    for (const method of methods ?? []) {
      if (typeof method !== 'string' || !TOKEN.test(method)) {
        throw new TypeError(`a method must be a token, not ${JSON.stringify(method)}`)
      }
    }
    return this.#register(methods, pattern, handler)
  }

  /**
   * Has requests pass through a function on their way to a handler and back, all of them or those whose path begins
   * with the segments of `prefix`, whether or not a route fits. The first that was added is the outermost; `next()`
   * gives the response of what lies further in, and rejects with what was thrown there.
   *
   * ```ts
   * router.use(async (request, next) => {
   *   const response = await next()
   *   response.headers.set('x-request', String(request.id))
   *   return response
   * })
   * ```
   *
   * @throws TypeError for a prefix that is no pattern or has a tail, or a middleware that is no function
   */
  use(middleware: Middleware): this
  use(prefix: string, middleware: Middleware): this
  use(...args: readonly [Middleware] | readonly [string, Middleware]): this {
    const [prefix, middleware] = args.length === 1 ? ['/', args[0]] : args
    const { segments } = withoutSlash(parsePrefix(prefix))
    checkFunction(middleware, 'middleware')
    this.#scope.add(segments, middleware)
    return this
  }

  /**
   * Takes in the routes of another router, those that it has now and those that it will have, each with `prefix` before
   * its pattern; where that is `/` it is the prefix itself. What else the router has stays with its routes: its
   * middleware, its `onError()`, and, for paths that begin with the segments of the prefix and have no route, its
   * `notFound()`.
   *
   * @throws TypeError for a prefix that is no pattern or has a tail, and for what is no router
   * @throws RangeError when a route would be there twice, and when it is mounted in itself; nothing is mounted then
   */
  mount<const Prefix extends string>(
    prefix: Prefix,
    mountable: Mountable<PathParams<Prefix> & Outer>,
  ): this {
    if (!(mountable instanceof Router)) {
      throw new TypeError(`what is mounted must be a Router, not ${typeof mountable}`)
    }
    const router = mountable as unknown as AnyRouter
    const parent: Parent = { router: this.#any, way: this.#way, prefix: parsePrefix(prefix) }
    if (router.#holds(this.#any)) throw new RangeError('a router cannot be mounted in itself')
    this.#check(router.#routes.map((route) => routeUnder(parent, route)))
    router.#parents.push(parent)
    this.#addMount(mountUnder(parent, { prefix: ROOT, way: router.#way }))
    for (const mount of router.#mounts) this.#addMount(mountUnder(parent, mount))
    for (const route of router.#routes) this.#add(routeUnder(parent, route))
    return this
  }

  /**
   * Answers in place of what a handler, a middleware or the router itself has thrown, its 404 and 405 included, all of
   * which are HttpError. It is outside of the router's middleware; what it throws itself goes further out.
   *
   * @throws RangeError when there is one already
   */
  onError(handler: HttpErrorHandler): this {
    checkFunction(handler, 'handler')
    if (this.#scope.errorHandler !== undefined) throw new RangeError('onError() was called before')
    this.#scope.errorHandler = handler
    return this
  }

  /**
   * Answers where no route fits, in place of an HttpError with 404. It is inside of the router's middleware.
   *
   * @throws RangeError when there is one already
   */
  notFound(handler: HttpHandler): this {
    checkFunction(handler, 'handler')
    if (this.#scope.notFoundHandler !== undefined)
      throw new RangeError('notFound() was called before')
    this.#scope.notFoundHandler = handler
    return this
  }

  /**
   * Answers a request: what `startHttpServer()` calls. It gives what the handler gives, a promise only where that is
   * one or where there is middleware.
   *
   * @throws HttpError 400, 404, 405 and 501, and whatever a handler or a middleware throws
   */
  handle(request: HttpRequest): Answer {
    request.params = NO_PARAMS
    let match
    try {
      match = this.#tree.match(request.method, request.path)
    } catch (error) {
      return enter(this.#way, 0, request, () => {
        throw new HttpError(400, 'the path has an escape that is none', { cause: error })
      })
    }
    if (match === undefined) {
      const way = this.#wayAt(request.path)
      return enter(way, 0, request, () => this.#answerWithout(request, way))
    }
    const { pattern, value } = match.route
    if (pattern.names.length > 0) request.params = toParams(pattern.names, match.values)
    return enter(value.way, 0, request, value.handler)
  }

  #register(methods: readonly string[] | undefined, text: string, handler: unknown): this {
    const pattern = parsePattern(text)
    checkFunction(handler, 'handler')
    const value: Endpoint = { handler: handler as HttpHandler, way: this.#way }
    const routes = (methods ?? [undefined]).map((method) => ({ method, pattern, value }))
    this.#check(routes)
    for (const route of routes) this.#add(route)
    return this
  }

  /** @throws RangeError unless all of them can be added, here and wherever it is mounted */
  #check(routes: readonly Route<Endpoint>[]): void {
    const amongThem = new RouteTree({ ignoreTrailingSlash: this.#ignoreTrailingSlash })
    for (const route of routes) {
      this.#tree.check(route)
      amongThem.add(route)
    }
    for (const parent of this.#parents) {
      parent.router.#check(routes.map((route) => routeUnder(parent, route)))
    }
  }

  #add(route: Route<Endpoint>): void {
    this.#tree.add(route)
    this.#routes.push(route)
    for (const method of route.method === undefined ? COMMON_METHODS : [route.method]) {
      this.#methods.add(method)
    }
    for (const parent of this.#parents) parent.router.#add(routeUnder(parent, route))
  }

  #addMount(mount: Mount): void {
    this.#mounts.push(mount)
    for (const parent of this.#parents) parent.router.#addMount(mountUnder(parent, mount))
  }

  /** Whether `router` is this one, or is mounted in it. */
  #holds(router: AnyRouter): boolean {
    return router === this.#any || router.#parents.some((parent) => this.#holds(parent.router))
  }

  /** The way to where a path without a route leads: to the longest prefix that it begins with. */
  #wayAt(path: string): readonly Passage[] {
    let longest: Mount | undefined
    if (this.#mounts.length > 0 && path.startsWith('/')) {
      const segments = splitPath(path)
      for (const mount of this.#mounts) {
        const isLonger = mount.prefix.segments.length > (longest?.prefix.segments.length ?? -1)
        if (isLonger && beginsWith(segments, mount.prefix.segments)) longest = mount
      }
    }
    return longest?.way ?? this.#way
  }

  #answerWithout(request: HttpRequest, way: readonly Passage[]): Answer {
    const { method, path } = request
    const isKnown = this.#methods.has(method)
    const methods = path === '*' ? new Set(this.#methods) : this.#tree.methodsAt(path)
    if (methods.size > 0) {
      const allow = describeMethods(methods)
      if (method === 'OPTIONS')
        return response(undefined, { status: 204, headers: { Allow: allow } })
      if (isKnown) {
        throw new HttpError(405, `${method} is not for this path`, { headers: { Allow: allow } })
      }
    }
    if (!isKnown) throw new HttpError(501, `${method} is not known here`)
    const nearest = way.findLast(({ scope }) => scope.notFoundHandler !== undefined)
    if (nearest?.scope.notFoundHandler !== undefined) return nearest.scope.notFoundHandler(request)
    throw new HttpError(404, 'there is nothing by that path')
  }
}

/** A value of Allow. What takes GET takes HEAD, and OPTIONS is always answered. */
function describeMethods(methods: ReadonlySet<string>): string {
  const all = new Set([...methods, 'OPTIONS', ...(methods.has('GET') ? ['HEAD'] : [])])
  return [...all].toSorted().join(', ')
}

/** Without a prototype, so that a name can be any, and a name that is not there is undefined. */
function toParams(names: readonly string[], values: readonly string[]): Record<string, string> {
  const params = Object.create(null) as Record<string, string>
  for (const [at, name] of names.entries()) params[name] = values[at] as string
  return params
}

function checkFunction(value: unknown, name: string): void {
  if (typeof value !== 'function') {
    throw new TypeError(`${name} must be a function, not ${typeof value}`)
  }
}
