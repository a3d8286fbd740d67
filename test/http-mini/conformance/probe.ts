/** The application of the conformance cases: it notes what it sees, and has a path for each way to answer. */
import { HttpError, response, stream, text } from '../../../src/http-mini/index.js'
import type { HandlerResult, HttpHandler, HttpRequest } from '../../../src/http-mini/index.js'
import { loopTurns } from '../../../src/testing/fake-clock.js'

/** One request that the application saw. */
export interface SeenRequest {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly version: string
  readonly host: string | undefined
  /** Latin-1. Undefined while it is being read. */
  body: string | undefined
  hasFailed: boolean
}

export interface Probe {
  readonly handler: HttpHandler
  readonly seen: SeenRequest[]
}

/** The notation of the table: `METHOD path?query body`. */
export function describeSeen({ method, path, query, body, hasFailed }: SeenRequest): string {
  const where = `${method} ${path}${query === '' ? '' : `?${query}`}`
  if (hasFailed) return `${where} !`
  if (body === undefined) return `${where} …`
  return body === '' ? where : `${where} ${body}`
}

export interface ProbeOptions {
  /** Answer nothing in the turn in which the request came, however little there is to wait for. @default false */
  isLate?: boolean
}

/** Makes the application. A request without a body is answered synchronously. */
export function makeProbe({ isLate = false }: ProbeOptions = {}): Probe {
  const seen: SeenRequest[] = []
  const handler: HttpHandler = (request) => {
    const { method, path, queryString: query, version, host } = request
    const one: SeenRequest = {
      method,
      path,
      query,
      version,
      host,
      body: undefined,
      hasFailed: false,
    }
    seen.push(one)
    const answer = answers[path] ?? echo
    if (isLate) return loopTurns(3).then(() => answer(request, one))
    return answer(request, one)
  }
  return { handler, seen }
}

type Answer = (request: HttpRequest, one: SeenRequest) => HandlerResult | Promise<HandlerResult>

async function readBody(request: HttpRequest, one: SeenRequest): Promise<void> {
  try {
    one.body = (await request.bytes()).toString('latin1')
  } catch (error) {
    one.hasFailed = true
    throw error
  }
}

function announcesBody({ headers }: HttpRequest): boolean {
  return headers.has('content-length') || headers.has('transfer-encoding')
}

function echo(request: HttpRequest, one: SeenRequest): HandlerResult | Promise<HandlerResult> {
  if (announcesBody(request)) return readBody(request, one).then(() => bytesOf(one))
  one.body = ''
  return bytesOf(one)
}

function bytesOf(one: SeenRequest): Buffer {
  return Buffer.from(describeSeen(one), 'latin1')
}

async function* parts(...all: readonly string[]): AsyncGenerator<string> {
  for (const part of all) {
    await loopTurns(1)
    yield part
  }
}

function noBody(_request: HttpRequest, one: SeenRequest): void {
  one.body = ''
}

const answers: Readonly<Record<string, Answer>> = {
  '/host': (request, one) => {
    noBody(request, one)
    return text(request.host ?? '')
  },
  '/unread': (request, one) => {
    noBody(request, one)
    return 'unread'
  },
  '/early': (request, one) =>
    stream(
      (async function* early() {
        yield 'early '
        await readBody(request, one)
        yield one.body ?? ''
      })(),
    ),
  '/patient': async (request, one) => {
    await readBody(request, one).catch(() => {})
    return 'never mind'
  },
  '/slow': async (request, one) => {
    await loopTurns(5)
    noBody(request, one)
    return 'slow'
  },
  '/stream': (request, one) => {
    noBody(request, one)
    return stream(parts('one ', 'two ', 'three'))
  },
  '/empty-stream': (request, one) => {
    noBody(request, one)
    return stream(parts())
  },
  '/nothing': (request, one) => {
    noBody(request, one)
    return null
  },
  '/unchanged': (request, one) => {
    noBody(request, one)
    return response(undefined, { status: 304, headers: { ETag: '"a"' } })
  },
  '/wordy-nothing': (request, one) => {
    noBody(request, one)
    return response('words', { status: 204 })
  },
  '/split-value': (request, one) => {
    noBody(request, one)
    return response('secret', { headers: { 'X-A': 'b\r\nX-B: c' } })
  },
  '/split-name': (request, one) => {
    noBody(request, one)
    return response('secret', { headers: { 'X-A: b\r\nX-B': 'c' } })
  },
  '/nul-value': (request, one) => {
    noBody(request, one)
    return response('secret', { headers: { 'X-A': 'b\0' } })
  },
  '/two-lengths': (request, one) => {
    noBody(request, one)
    return response('secret', { headers: { 'Content-Length': '6, 7' } })
  },
  '/own-coding': (request, one) => {
    noBody(request, one)
    return response('secret', { headers: { 'Transfer-Encoding': 'chunked' } })
  },
  '/close': (request, one) => {
    noBody(request, one)
    return response('last', { headers: { Connection: 'close' } })
  },
  '/short': (request, one) => {
    noBody(request, one)
    return response(parts('he', 'll'), { headers: { 'Content-Length': '5' } })
  },
  '/long': (request, one) => {
    noBody(request, one)
    return response(parts('he', 'llo world'), { headers: { 'Content-Length': '5' } })
  },
  '/teapot': (request, one) => {
    noBody(request, one)
    throw new HttpError(418, 'short and stout')
  },
  '/wrong': (request, one) => {
    noBody(request, one)
    throw new Error('the password is secret')
  },
  '/forgotten': (request, one) => {
    noBody(request, one)
    return undefined as never
  },
}
