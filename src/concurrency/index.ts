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

// Tasks and time

// Pools and limits

// Resources and services

// Iteration and threads
