/** For tests of your own programs: connections without a network, time that stands still, faults, and checkers. */
export {
  BYTE_STREAM_RULES,
  BrokenRulesError,
  checkByteStream,
  type CheckByteStreamOptions,
  type RuleResult,
} from './check-byte-stream.js'
export {
  startBlackHole,
  startResettingPeer,
  type BadPeerOptions,
  type BlackHoleOptions,
  type ResettingPeerOptions,
} from './bad-peers.js'
export {
  checkHistory,
  HistoryError,
  type CheckHistoryOptions,
  type HistoryEvent,
  type HistoryViolation,
} from './check-history.js'
export { LineHistory, type LineHistoryOptions } from './line-history.js'
export type {
  ByteReader,
  ByteStream,
  ByteStreamEnd,
  ByteStreamPair,
  ByteWriter,
  MakeByteStreamPair,
} from './byte-stream.js'
export {
  connectionPair,
  type ConnectionPair,
  type ConnectionPairEndOptions,
  type ConnectionPairOptions,
} from './connection-pair.js'
export { ActiveFault } from './active-fault.js'
export type {
  BandwidthFault,
  BlackHoleFault,
  DataLimitFault,
  DownFault,
  Fault,
  FaultBase,
  FaultKind,
  FaultOf,
  FaultScope,
  FaultWay,
  LatencyFault,
  ResetFault,
  SlicerFault,
  SlowCloseFault,
} from './fault.js'
export { FaultProxy } from './fault-proxy.js'
export type { FaultProxyOptions, FaultProxyServerOptions } from './fault-proxy-options.js'
export type {
  EachWay,
  FaultProxyConnection,
  FaultProxyEvent,
  FaultProxyStats,
} from './fault-tally.js'
export { systemClock, type Clock } from '../concurrency/clock.js'
export { FakeClock } from './fake-clock.js'
export {
  failNth,
  memoryTransportPair,
  type MemoryAddress,
  type MemoryOperation,
  type MemoryTransport,
  type MemoryTransportOptions,
} from './memory-transport.js'
export {
  torture,
  TortureError,
  type TortureAttempt,
  type TortureFailure,
  type TortureOptions,
  type TortureReport,
  type TortureScenario,
} from './torture.js'
