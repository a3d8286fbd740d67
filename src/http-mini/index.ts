/** A small, strict HTTP/1.1 server on the kit's own connections. */
export { HttpError, type HttpErrorOptions, type HttpFields } from './http-error.js'
export type { AnswerInfo } from './http-connection.js'
export {
  httpHandler,
  type HttpApp,
  type HttpDeadlineOptions,
  type HttpOptions,
} from './http-handler.js'
export type { HttpHeaders } from './http-headers.js'
export type { HttpLimits } from './http-limits.js'
export type { HttpRequest, UpgradeOptions } from './http-request.js'
export {
  html,
  HttpResponse,
  json,
  redirect,
  response,
  stream,
  text,
  type BodySource,
  type HandlerResult,
  type HttpHandler,
  type Middleware,
  type OnPeerEnd,
  type ResponseBody,
  type ResponseInit,
  type SizedBody,
  type StreamInit,
} from './http-response.js'
export type { ReadBodyOptions, RequestBody } from './request-body.js'
export type { ResponseHeaders } from './response-headers.js'
export { startHttpServer, type HttpServerOptions } from './start-http-server.js'
