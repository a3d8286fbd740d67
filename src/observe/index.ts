/** standpipe/observe: what a running program costs, in bounded memory. The public names. */
export type { Clock } from '../concurrency/clock.js'
export type { Logger } from '../logger.js'

// Counting and measuring
export { Counters, OTHER_LABEL, type CountersOptions } from './counters.js'
export {
  Histogram,
  type HistogramBucket,
  type HistogramOptions,
  type HistogramSummary,
} from './histogram.js'
export { Profiler, type ProfileEntry, type ProfilerOptions, type Span } from './profiler.js'

// Watching the process
export {
  LoopMonitor,
  type LoopDurations,
  type LoopMonitorOptions,
  type LoopSnapshot,
  type SlowTurnEvent,
} from './loop-monitor.js'
export {
  memoryText,
  MemoryMonitor,
  type MemoryDelta,
  type MemoryFigures,
  type MemoryLimitEvent,
  type MemoryMonitorOptions,
  type MemorySnapshot,
} from './memory-monitor.js'

// Debug mode, and what the kit publishes of its connections
export {
  CONNECTION_CLOSE_CHANNEL,
  CONNECTION_ERROR_CHANNEL,
  CONNECTION_OPEN_CHANNEL,
  CONNECTION_REFUSE_CHANNEL,
  type ConnectionCloseMessage,
  type ConnectionErrorMessage,
  type ConnectionOpenMessage,
  type ConnectionRefuseMessage,
  type ObservedConnection,
} from './connection-messages.js'
export { enableDebugMode, type DebugMode, type DebugModeOptions } from './debug-mode.js'
export type { UnclosedConnection } from './open-connections.js'
export type { UnawaitedCall } from './unawaited-calls.js'
