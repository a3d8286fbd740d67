/**
 * standpipe/concurrency: waiting, limiting, retrying, grouping and cleaning up. No sockets; every wait takes a
 * `signal`. The public names, grouped; who adds to a group keeps to its part.
 */

// What every call that waits takes
export type { WaitOptions } from './abort.js'
export type { Clock } from './clock.js'

// Waiting for one another
export { Semaphore, type WaitingOptions } from './semaphore.js'
export { Mutex } from './mutex.js'
export type { Permit } from './permit.js'
export { Event } from './event.js'
export { Condition, type ConditionOptions, type Truthy } from './condition.js'
export { BoundedQueue, type BoundedQueueOptions, type CloseQueueOptions } from './bounded-queue.js'
export { LifoBoundedQueue } from './lifo-bounded-queue.js'
export { PriorityBoundedQueue, type PriorityBoundedQueueOptions } from './priority-bounded-queue.js'
export type { ItemStore } from './item-store.js'
export { Broadcaster, type BroadcasterOptions, type SubscribeOptions } from './broadcaster.js'
export type {
  CloseSubscriptionOptions,
  Subscription,
  SubscriptionOverflow,
} from './subscription.js'

// Tasks and time
export type { BackoffOptions } from './backoff.js'
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
export type { MapSource } from './pulled-source.js'
export {
  TaskPool,
  type PoolMapOptions,
  type ShutdownOptions,
  type TaskPoolOptions,
} from './task-pool.js'

// Resources and services
export { Lease } from './lease.js'
export { ResourcePool } from './resource-pool.js'
export type {
  ClosePoolOptions,
  ClosePoolReport,
  ResourcePoolOptions,
  ResourcePoolStats,
} from './resource-pool-options.js'
export {
  ResourceScope,
  type CleanupOptions,
  type EnterOptions,
  type ResourceScopeOptions,
  type RunScopeOptions,
} from './resource-scope.js'
export {
  Service,
  type ServiceEnd,
  type ServiceOptions,
  type StopServiceOptions,
} from './service.js'
export { QueueService, type QueueServiceOptions, type QueueServiceStats } from './queue-service.js'
export type { ServiceState } from './service-state.js'
export type { Resource } from './disposal.js'
export type { Logger } from '../logger.js'

// Iteration and threads
export {
  WorkerLoop,
  type AnyTasks,
  type SubmitTaskOptions,
  type TaskInput,
  type TaskName,
  type TaskResult,
  type WorkerLoopOptions,
} from './worker-loop.js'
export { batch, type BatchOptions } from './batch.js'
export { filter } from './filter.js'
export { interval, type IntervalOptions } from './interval.js'
export { map, type MapOptions } from './map.js'
export { merge } from './merge.js'
export { range, type RangeOptions } from './range.js'
export type { Iteration, IterationOptions } from './stepwise.js'
export { take } from './take.js'
export { withCleanup } from './with-cleanup.js'
