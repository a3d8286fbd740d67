/** The API of `standpipe http`: a welcome, data with the query that asked for them, and an answer that takes its time. */
import { sleep } from '../concurrency/sleep.js'
import { HttpError } from '../http-mini/http-error.js'
import type { HttpRequest } from '../http-mini/http-request.js'
import { json, type HttpHandler } from '../http-mini/http-response.js'
import { Router } from '../http-mini/router.js'

/** The longest `delay` of `/api/slow`, in seconds. */
const MAX_DELAY_S = 60

const ITEMS = [1, 2, 3].map((id) => ({ id, name: `Item ${id}` }))

/** The routes, with the files of a folder wherever they have nothing. What is refused is answered as JSON. */
export function apiRoutes(files?: HttpHandler<object>): Router {
  const router = new Router()
    .all('/', files === undefined ? welcome : (request) => filesOr(files, welcome, request))
    .get('/api/data', ({ query }) => ({
      data: ITEMS,
      query_params: grouped(query),
      total: ITEMS.length,
    }))
    .get('/api/slow', slow)
    .onError((error, { path }) => {
      if (!(error instanceof HttpError)) throw error
      const { status, message, headers } = error
      return json(
        { error: message, path },
        { status, ...(headers === undefined ? {} : { headers }) },
      )
    })
  return files === undefined ? router : router.route('/*path', files)
}

function welcome({ method }: HttpRequest<object>): object {
  return { message: 'Welcome to standpipe http', method, timestamp: Date.now() / 1000 }
}

/** Holds nobody up: only this request waits, and only as long as its client does. */
async function slow({ query, signal }: HttpRequest<object>): Promise<object> {
  const text = query.get('delay') ?? '1'
  const delay = /^\d{1,9}(?:\.\d{1,9})?$/.test(text) ? Number(text) : NaN
  if (!(delay <= MAX_DELAY_S)) {
    throw new HttpError(400, `delay must be a number of seconds from 0 to ${MAX_DELAY_S}`)
  }
  await sleep(delay * 1000, { signal })
  return { message: `Delayed response after ${delay} seconds`, delay }
}

/** Each name with all of its values, as Python's `parse_qs()` has them. */
function grouped(query: URLSearchParams): Record<string, string[]> {
  const names = new Set(query.keys())
  return Object.fromEntries([...names].map((name) => [name, query.getAll(name)]))
}

async function filesOr(
  files: HttpHandler<object>,
  otherwise: HttpHandler<object>,
  request: HttpRequest<object>,
): Promise<ReturnType<HttpHandler>> {
  try {
    return await files(request)
  } catch (error) {
    if (error instanceof HttpError && error.status === 404) return otherwise(request)
    throw error
  }
}
