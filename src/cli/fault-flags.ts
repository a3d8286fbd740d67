/** The faults that the flags of `standpipe proxy` stand for. */
import type { Fault, FaultScope } from '../testing/fault.js'
import { UsageError } from './usage-error.js'

/** What `--direction` takes: in is what clients send, towards the target. */
export const DIRECTIONS = { in: 'toTarget', out: 'toClient', both: 'both' } as const

/** The flags that are faults; times in milliseconds, sizes in bytes. */
export interface FaultFlags {
  latency?: number
  jitter?: number
  bandwidth?: number
  slice?: number
  sliceGap?: number
  resetAfter?: number
  blackHole?: boolean
  slowClose?: number
  limitData?: number
  down?: boolean
  direction: keyof typeof DIRECTIONS
  probability: number
}

/**
 * The faults that the flags ask for.
 * @throws UsageError for a flag that has no meaning without another
 */
export function toFaults(flags: FaultFlags): Fault[] {
  const { latency, jitter, bandwidth, slice, sliceGap, resetAfter, slowClose, limitData } = flags
  if (jitter !== undefined && latency === undefined) throw alone('--jitter', '--latency 100ms')
  if (sliceGap !== undefined && slice === undefined) throw alone('--slice-gap', '--slice 10')
  const scope: FaultScope = {
    direction: DIRECTIONS[flags.direction],
    probability: flags.probability,
  }
  const faults: Fault[] = []
  if (latency !== undefined) {
    faults.push({ kind: 'latency', latencyMs: latency, jitterMs: jitter, ...scope })
  }
  if (bandwidth !== undefined) {
    faults.push({ kind: 'bandwidth', bytesPerSecond: bandwidth, ...scope })
  }
  if (slice !== undefined) faults.push({ kind: 'slicer', bytes: slice, gapMs: sliceGap, ...scope })
  if (resetAfter !== undefined) faults.push({ kind: 'reset', afterBytes: resetAfter, ...scope })
  if (flags.blackHole === true) faults.push({ kind: 'black-hole', ...scope })
  if (slowClose !== undefined) faults.push({ kind: 'slow-close', delayMs: slowClose, ...scope })
  if (limitData !== undefined) faults.push({ kind: 'data-limit', bytes: limitData, ...scope })
  if (flags.down === true) faults.push({ kind: 'down' })
  return faults
}

function alone(name: string, other: string): UsageError {
  return new UsageError(`${name} has no meaning by itself`, `Add ${other}.`)
}
