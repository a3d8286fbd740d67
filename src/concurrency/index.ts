/**
 * standpipe/concurrency: waiting, limiting, retrying, grouping and cleaning up. No sockets; every wait takes a
 * `signal`. The public names, grouped; who adds to a group keeps to its part.
 */

// What every call that waits takes
export type { WaitOptions } from './abort.js'
export type { Clock } from './clock.js'

// Waiting for one another

// Tasks and time
export { asCompleted, type AsCompletedOptions } from './as-completed.js'
export {
  retry,
  retrying,
  type FailedAttempt,
  type RetryContext,
  type RetryOptions,
} from './retry.js'
export { RetryBudget, type RetryBudgetOptions } from './retry-budget.js'
export { settle, type Settled, type SettleOptions } from './settle.js'
export { shield, type ShieldOptions } from './shield.js'
export { sleep, type SleepOptions } from './sleep.js'
export type { TaskFunction } from './start-task.js'
export {
  taskGroup,
  type SpawnOptions,
  type TaskGroup,
  type TaskGroupOptions,
} from './task-group.js'
export { withTimeout, type TimeoutOptions } from './timeout.js'

// Pools and limits
export type { MapSource } from './map-through.js'
export {
  TaskPool,
  type PoolMapOptions,
  type ShutdownOptions,
  type TaskPoolOptions,
} from './task-pool.js'

// Resources and services

// Iteration and threads
