/** What the clients of others are let loose on: one app with every kind of answer. */
import {
  file,
  json,
  Router,
  sse,
  stream,
  text,
  type HttpRequest,
} from '../../src/http-mini/index.js'
import { deferred, type Deferred } from '../../src/concurrency/deferred.js'

export interface Shop {
  readonly router: Router
  /** What has been asked for, in order: `METHOD path`, and the connection that it came on. */
  readonly asked: { readonly what: string; readonly connection: number }[]
  /** Opens the gate that `/gated` waits at between its two parts. */
  readonly gate: Deferred
  /** The Last-Event-ID of each request for `/events`. */
  readonly lastEventIds: (string | undefined)[]
  /** Resolves when the signal of a request for `/endless` has fired. */
  readonly left: Deferred
}

/** @param document a file that `/document` serves */
export function makeShop(document?: string): Shop {
  const asked: Shop['asked'] = []
  const gate = deferred()
  const left = deferred()
  const lastEventIds: (string | undefined)[] = []
  const router = new Router()
    .use(async (request, next) => {
      asked.push({ what: `${request.method} ${request.path}`, connection: request.connection.id })
      return await next()
    })
    .get('/', () => 'hello\n')
    .get('/json', () => ({ hello: 'world' }))
    .get('/nothing', () => null)
    .get('/agent', (request) => text(request.headers.get('user-agent') ?? ''))
    .post('/echo', (request) => request.bytes())
    .post('/count', (request) => countBytes(request).then((bytes) => json({ bytes })))
    .get('/gated', () => stream(gated(gate)))
    .get('/endless', (request) => {
      request.signal.addEventListener('abort', () => {
        left.resolve()
      })
      return stream(endless())
    })
    .get('/events', (request) => {
      const last = request.headers.get('last-event-id')
      lastEventIds.push(last)
      return sse(request, events(last))
    })
  if (document !== undefined) router.get('/document', (request) => file(document, { request }))
  return { router, asked, gate, left, lastEventIds }
}

async function countBytes(request: HttpRequest): Promise<number> {
  let bytes = 0
  for await (const chunk of request.body) bytes += chunk.length
  return bytes
}

async function* gated(gate: Deferred): AsyncGenerator<string> {
  yield 'first'
  await gate.promise
  yield 'second'
}

async function* endless(): AsyncGenerator<string> {
  for (;;) {
    yield 'x'.repeat(1000)
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
}

/** Three events, each with its number; a client that comes back is given those that it has not seen. */
async function* events(
  last: string | undefined,
): AsyncGenerator<{ id: string; data: string; retry: number }> {
  const next = Number(last ?? 0) + 1
  if (next <= 3) yield { id: String(next), data: `event ${next}`, retry: 10 }
}
