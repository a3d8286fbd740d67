/**
 * What a router does for every request on the way to its handlers and back: middleware, and an answer in place of an
 * error. It knows no routes.
 *
 * Invariant: where nothing has to be passed, nothing is waited for.
 */
import type { HttpRequest } from './http-request.js'
import {
  toResponse,
  type HandlerResult,
  type HttpHandler,
  type HttpResponse,
  type Middleware,
} from './http-response.js'
import { splitPath } from './path-segments.js'
import type { RoutePattern } from './route-pattern.js'

/** What answers a request gives, now or later. */
export type Answer = HandlerResult | Promise<HandlerResult>

/** Answers in place of an error that was thrown. */
export type HttpErrorHandler = (error: unknown, request: HttpRequest) => Answer

interface Layer {
  /** What a path must begin with, from the segments of the scope on. */
  readonly prefix: RoutePattern['segments']
  readonly middleware: Middleware
}

export class RouteScope {
  readonly #layers: Layer[] = []
  #everyLayerIsForAll = true
  /** Answers what is thrown further in. */
  errorHandler: HttpErrorHandler | undefined
  /** Answers where there is no route. */
  notFoundHandler: HttpHandler | undefined

  /** Adds a middleware inside of those that are there. */
  add(prefix: RoutePattern['segments'], middleware: Middleware): void {
    this.#layers.push({ prefix, middleware })
    this.#everyLayerIsForAll &&= prefix.length === 0
  }

  /** Goes through it and further in; `depth` segments of the path have led here. */
  enter(request: HttpRequest, depth: number, inner: () => Answer): Answer {
    const { errorHandler } = this
    if (errorHandler === undefined) return this.#pass(request, depth, inner)
    try {
      const answer = this.#pass(request, depth, inner)
      if (!isThenable(answer)) return answer
      return Promise.resolve(answer).catch((error: unknown) => errorHandler(error, request))
    } catch (error) {
      return errorHandler(error, request)
    }
  }

  #pass(request: HttpRequest, depth: number, inner: () => Answer): Answer {
    if (this.#layers.length === 0) return inner()
    const layers = this.#everyLayerIsForAll ? this.#layers : this.#layersFor(request.path, depth)
    return layers.length === 0 ? inner() : passLayers(layers, 0, request, inner)
  }

  #layersFor(path: string, depth: number): readonly Layer[] {
    const segments = segmentsOf(path)
    return this.#layers.filter(({ prefix }) => beginsWith(segments, prefix, depth))
  }
}

/** Whatever can be awaited counts, as it does for who sends the answer. */
function isThenable(answer: Answer): answer is Promise<HandlerResult> {
  return (
    typeof answer === 'object' &&
    answer !== null &&
    'then' in answer &&
    typeof answer.then === 'function'
  )
}

async function passLayers(
  layers: readonly Layer[],
  at: number,
  request: HttpRequest,
  inner: () => Answer,
): Promise<HandlerResult> {
  const layer = layers[at]
  if (layer === undefined) return await inner()
  let isCalled = false
  return await layer.middleware(request, async (): Promise<HttpResponse> => {
    if (isCalled) throw new Error('next() was called twice by one middleware')
    isCalled = true
    return toResponse(await passLayers(layers, at + 1, request, inner))
  })
}

/** Whether a path, from `depth` on, begins with these segments, each of them whole. */
export function beginsWith(
  segments: readonly string[],
  prefix: RoutePattern['segments'],
  depth = 0,
): boolean {
  return prefix.every((wanted, at) => {
    const segment = segments[depth + at]
    return wanted === null ? segment !== undefined && segment !== '' : segment === wanted
  })
}

/** A path that is malformed begins with nothing: it is refused as it is, wherever it was to lead. */
function segmentsOf(path: string): readonly string[] {
  try {
    return path.startsWith('/') ? splitPath(path) : []
  } catch {
    return []
  }
}
