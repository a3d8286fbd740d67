/**
 * standpipe/concurrency: waiting, limiting, retrying, grouping and cleaning up. No sockets; every wait takes a
 * `signal`. The public names, grouped; who adds to a group keeps to its part.
 */

// What every call that waits takes
export type { WaitOptions } from './abort.js'
export type { Clock } from './clock.js'

// Waiting for one another

// Tasks and time

// Pools and limits

// Resources and services

// Iteration and threads
