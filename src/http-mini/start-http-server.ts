/**
 * A server that speaks HTTP/1.1: the kit's own server with `httpHandler` for its connections, so that admission, limits and the
 * stop are those of every other server.
 */
import type { TcpAddress, UnixAddress } from '../protocol/connection.js'
import type { RefusalReason } from '../server/admission.js'
import { startServer, type Server, type ServerOptions } from '../server/start-server.js'
import {
  httpHandler,
  type HttpApp,
  type HttpDeadlineOptions,
  type HttpOptions,
} from './http-handler.js'
import { text, type HttpHandler } from './http-response.js'
import { planResponse } from './response-head.js'

/**
 * What {@link startHttpServer} takes: all that a server takes, with HTTP's own deadlines. Its `refusal` is 503, or 403 for an
 * address that is not allowed, unless it is said.
 */
export interface HttpServerOptions extends Omit<ServerOptions, 'deadlines'>, HttpOptions {
  deadlines?: HttpDeadlineOptions | undefined
}

/**
 * Listens and answers requests with `app`: a function, or a Router.
 *
 * A stop answers what was accepted, says `Connection: close` with the last answer of each connection, and ends the rest as
 * every server of the kit does.
 *
 * ```ts
 * const server = await startHttpServer(({ path }) => `you asked for ${path}\n`, { port: 8080 })
 * ```
 *
 * @throws ListenError when it cannot listen
 * @throws RangeError, TypeError when an option has no meaning
 * @throws the signal's reason when it aborts first; nothing listens then
 */
export function startHttpServer(
  app: HttpHandler | HttpApp,
  options?: HttpServerOptions & { path?: undefined; fd?: undefined },
): Promise<Server<TcpAddress>>
export function startHttpServer(
  app: HttpHandler | HttpApp,
  options: HttpServerOptions & { path: string },
): Promise<Server<UnixAddress>>
export function startHttpServer(
  app: HttpHandler | HttpApp,
  options: HttpServerOptions,
): Promise<Server>
export async function startHttpServer(
  app: HttpHandler | HttpApp,
  { limits, onAnswer, deadlines, ...options }: HttpServerOptions = {},
): Promise<Server> {
  return await startServer(httpHandler(app, { limits, onAnswer, deadlines }), {
    refusal: refuse,
    ...options,
    deadlines,
  } as ServerOptions)
}

/** What a client is told that gets no connection: RFC 9110 15.5.4 and 15.6.4. */
function refuse(reason: RefusalReason): string {
  const isForbidden = reason === 'denied' || reason === 'not-allowed'
  const answer = text(isForbidden ? 'not for this address\n' : 'too many connections\n', {
    status: isForbidden ? 403 : 503,
  })
  const { head, body } = planResponse(answer, { isHead: false, minor: 1, persists: false })
  return head + (body as string)
}
