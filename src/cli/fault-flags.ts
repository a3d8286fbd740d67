/** The faults that the flags of `standpipe proxy` stand for. */
import { checkFault, type Fault, type FaultScope } from '../testing/fault.js'
import { UsageError } from './usage-error.js'

/** What `--direction` takes, in the words of the library. */
export const DIRECTIONS = {
  'to-target': 'toTarget',
  'to-client': 'toClient',
  both: 'both',
} as const

/** The flags that are faults; times in milliseconds, sizes in bytes. */
export interface FaultFlags {
  latency?: number
  jitter?: number
  bandwidth?: number
  slice?: number
  sliceVariation?: number
  sliceGap?: number
  resetAfter?: number
  resetAfterTime?: number
  blackHole?: boolean
  blackHoleEnd?: number
  slowClose?: number
  limitData?: number
  down?: boolean
  /** Those that were written out, checked. */
  fault?: readonly Fault[]
  direction: keyof typeof DIRECTIONS
  probability: number
}

/**
 * The faults that the flags ask for.
 * @throws UsageError for a flag that has no meaning without another, and for a name that two faults have
 */
export function toFaults(flags: FaultFlags): Fault[] {
  for (const [flag, value, wanted, other] of [
    ['--jitter', flags.jitter, flags.latency, '--latency 100ms'],
    ['--slice-gap', flags.sliceGap, flags.slice, '--slice 10'],
    ['--slice-variation', flags.sliceVariation, flags.slice, '--slice 10'],
    ['--black-hole-end', flags.blackHoleEnd, flags.blackHole, '--black-hole'],
  ] as const) {
    if (value !== undefined && wanted === undefined) {
      throw new UsageError(`${flag} has no meaning by itself`, `Add ${other}.`)
    }
  }
  const scope: FaultScope = {
    direction: DIRECTIONS[flags.direction],
    probability: flags.probability,
  }
  const faults = scopedFaults(flags).map((fault) => ({ ...fault, ...scope }))
  const isScoped = flags.direction !== 'both' || flags.probability !== 1
  if (isScoped && faults.length === 0) {
    const what = flags.direction === 'both' ? '--probability' : '--direction'
    throw new UsageError(
      `${what} has no meaning without a fault`,
      'Add one, such as --latency 100ms.',
    )
  }
  const all: Fault[] = flags.down === true ? [...faults, { kind: 'down' }] : faults
  return withOwnNames([...all, ...(flags.fault ?? [])])
}

function scopedFaults(flags: FaultFlags): Exclude<Fault, { kind: 'down' }>[] {
  const { latency, bandwidth, slice, resetAfter, resetAfterTime, slowClose, limitData } = flags
  const faults: Exclude<Fault, { kind: 'down' }>[] = []
  if (latency !== undefined) {
    faults.push({ kind: 'latency', latencyMs: latency, jitterMs: flags.jitter })
  }
  if (bandwidth !== undefined) faults.push({ kind: 'bandwidth', bytesPerSecond: bandwidth })
  if (slice !== undefined) {
    const { sliceVariation: variation, sliceGap: gapMs } = flags
    faults.push({ kind: 'slicer', bytes: slice, variation, gapMs })
  }
  if (resetAfter !== undefined || resetAfterTime !== undefined) {
    faults.push({ kind: 'reset', afterBytes: resetAfter, afterMs: resetAfterTime })
  }
  if (flags.blackHole === true) faults.push({ kind: 'black-hole', endAfterMs: flags.blackHoleEnd })
  if (slowClose !== undefined) faults.push({ kind: 'slow-close', delayMs: slowClose })
  if (limitData !== undefined) faults.push({ kind: 'data-limit', bytes: limitData })
  return faults
}

/**
 * One fault as the library takes it, written as JSON; with those before it.
 * @throws UsageError for what is no JSON, or no fault
 */
export function parseFault(text: string, before: readonly Fault[] = []): Fault[] {
  const example = `{"kind":"latency","latencyMs":100,"direction":"toClient"}`
  let fault: Fault
  try {
    fault = JSON.parse(text) as Fault
  } catch {
    throw new UsageError(`'${text}' is no JSON`, `Write a fault such as '${example}'.`)
  }
  try {
    checkFault(fault)
  } catch (error) {
    throw new UsageError(`'${text}': ${(error as Error).message}`, `For example: '${example}'.`)
  }
  return [...before, fault]
}

function withOwnNames(faults: Fault[]): Fault[] {
  const names = faults.map(({ kind, name }, i) => name ?? `${kind}-${i + 1}`)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) {
    throw new UsageError(`two faults have the name '${twice}'`, 'Give each a name of its own.')
  }
  return faults
}
