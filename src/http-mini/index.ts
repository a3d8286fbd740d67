/** A small, strict HTTP/1.1 server on the kit's own connections. */
export { HttpError, type HttpErrorOptions, type HttpFields } from './http-error.js'
export type { AnswerInfo } from './answer-info.js'
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

// What answers: routes, files, events
export type { PathParams } from './path-params.js'
export { Router, type Mountable, type RouteOptions, type RouterOptions } from './router.js'
export type { HttpErrorHandler } from './route-scope.js'
export { file, type FileOptions } from './file.js'
export { staticFiles, type StaticFilesOptions } from './static-files.js'
export { checkPreconditions, type PreconditionResult, type Validators } from './conditional.js'
export {
  encodeEvent,
  lastEventIdOf,
  sse,
  type SentEvent,
  type ServerSentEventsOptions,
} from './server-sent-events.js'
export type { ServerSentEvent } from './event-text.js'
export type { EventChannel, EventProducer, SendEvent } from './pushed-events.js'
