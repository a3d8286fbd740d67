/**
 * standpipe: asyncio's stream model for Node.js. The public names, grouped.
 */

// Servers and clients
export { startServer } from './server/start-server.js'
export type {
  IterableServer,
  Server,
  ServerOptions,
  ServerState,
  ServerStats,
  StopOptions,
  StopReport,
} from './server/start-server.js'
export type { AdmissionOptions, RefusalReason } from './server/admission.js'
export type { CloseRecord } from './server/recent-closes.js'
export type { Refusal } from './server/refusals.js'
export { activatedSockets, type ActivatedSocket } from './server/socket-activation.js'
export { lineEcho, type LineEchoOptions } from './server/line-echo.js'
export { openConnection, type OpenConnectionOptions } from './client/open-connection.js'
export {
  LineClient,
  type LineClientOptions,
  type OpenLineClientOptions,
} from './client/line-client.js'
export type { Handler } from './protocol/handler.js'

// Streams
export { Connection } from './protocol/connection.js'
export type {
  Address,
  CloseInfo,
  CloseKind,
  CloseReason,
  ConnectionOptions,
  OnLimit,
  TcpAddress,
  UnixAddress,
} from './protocol/connection.js'
export { StreamReader } from './protocol/stream-reader.js'
export type { ReadAllOptions, StreamReaderOptions } from './protocol/stream-reader.js'
export type {
  InvalidText,
  LineBytesOptions,
  LineOptions,
  PartialLine,
} from './protocol/line-style.js'
export type { Separators } from './protocol/input.js'
export { StreamWriter, type StreamWriterOptions } from './protocol/stream-writer.js'
export type { ConnectionState } from './protocol/lifecycle.js'
export type { DeadlineOptions } from './protocol/deadlines.js'
export type { Clock } from './concurrency/clock.js'
export type { Transport } from './protocol/transport.js'
export type { WaitOptions } from './concurrency/abort.js'
export type { Logger } from './logger.js'

// Framings
export type { Chunk, FrameSource, Framing } from './protocol/framing.js'
export {
  lengthPrefixFraming,
  type LengthPrefixFramingOptions,
} from './protocol/length-prefix-framing.js'
export {
  lineFraming,
  type LineBytesFramingOptions,
  type LineFramingOptions,
} from './protocol/line-framing.js'
export { ndjsonFraming, type NdjsonFramingOptions } from './protocol/ndjson-framing.js'
export { netstringFraming, type NetstringFramingOptions } from './protocol/netstring-framing.js'
export {
  separatorFraming,
  type SeparatorBytesFramingOptions,
  type SeparatorFramingOptions,
} from './protocol/separator-framing.js'

// Errors
export {
  BrokenError,
  BusyError,
  ClosedError,
  ConnectError,
  DecodeError,
  IncompleteReadError,
  LimitOverrunError,
  ListenError,
  LookupError,
  ProtocolError,
  SlowConsumerError,
  StandpipeError,
  TimeoutError,
} from './errors.js'
export type { ConnectAttempt, ErrorCode, TimeoutPhase } from './errors.js'
