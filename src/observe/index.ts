/** standpipe/observe: what a running program costs, in bounded memory. The public names. */
export type { Clock } from '../concurrency/clock.js'
