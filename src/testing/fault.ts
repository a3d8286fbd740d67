/**
 * The faults of a {@link FaultProxy} as data: what there is, what each can be set to, and which values make sense.
 * (Those of Toxiproxy, by the names of this kit.)
 */

/** Which way bytes go: from who dialled the proxy to its target, or back. */
export type FaultWay = 'toTarget' | 'toClient'

/** What every fault has, but for `down`. */
export interface FaultScope {
  /** Which way it is in force. @default 'both' */
  readonly direction?: FaultWay | 'both' | undefined
  /** The share of the connections that it strikes, from 0 to 1; which ones, the seed decides. @default 1 */
  readonly probability?: number | undefined
}

/** Bytes and ends arrive later, in their order. It costs no throughput but for what `maxHeldBytes` bounds. */
export interface LatencyFault extends FaultScope {
  readonly kind: 'latency'
  readonly latencyMs: number
  /** Each arrival is up to so much earlier or later than `latencyMs`. @default 0 */
  readonly jitterMs?: number | undefined
}

/** No more than so many bytes pass in a second. */
export interface BandwidthFault extends FaultScope {
  readonly kind: 'bandwidth'
  readonly bytesPerSecond: number
}

/** What is written whole arrives in pieces. */
export interface SlicerFault extends FaultScope {
  readonly kind: 'slicer'
  /** The size of a piece, 1 or above. */
  readonly bytes: number
  /** Each piece is up to so many bytes smaller or larger; at least 1 byte. @default 0 */
  readonly variation?: number | undefined
  /** The time between two pieces. @default 0: one turn of the event loop */
  readonly gapMs?: number | undefined
}

/** After so many bytes both ends see a reset. */
export interface ResetFault extends FaultScope {
  readonly kind: 'reset'
  /** Counted from when the fault began to hold for the connection; 0 is at once. @default 0 */
  readonly afterBytes?: number | undefined
}

/**
 * Nothing passes: no byte, no end, no reset. What was sent is kept as far as `maxHeldBytes` goes, and passes when the
 * fault is removed, as after the repair of a cable.
 */
export interface BlackHoleFault extends FaultScope {
  readonly kind: 'black-hole'
  /** Then the proxy closes both ends, and what was kept is lost. @default never */
  readonly endAfterMs?: number | undefined
}

/** An end of input (FIN) arrives later than the bytes before it. */
export interface SlowCloseFault extends FaultScope {
  readonly kind: 'slow-close'
  readonly delayMs: number
}

/** After so many bytes the receiver sees a clean end; the rest is thrown away. The other direction goes on. */
export interface DataLimitFault extends FaultScope {
  readonly kind: 'data-limit'
  /** Counted from when the fault began to hold for the connection. */
  readonly bytes: number
}

/** Every connection is reset, and new ones are refused: nothing listens any more. Removed, the proxy listens again. */
export interface DownFault {
  readonly kind: 'down'
}

/** One fault: what a FaultProxy takes. */
export type Fault =
  | LatencyFault
  | BandwidthFault
  | SlicerFault
  | ResetFault
  | BlackHoleFault
  | SlowCloseFault
  | DataLimitFault
  | DownFault

/** The name of a fault. */
export type FaultKind = Fault['kind']

/** The fault of a name. */
export type FaultOf<Kind extends FaultKind> = Extract<Fault, { kind: Kind }>

/** What may be set besides kind, direction and probability: the least value, and whether it must be given. */
type Numbers = Readonly<Record<string, { least: number; isWhole: boolean; isRequired: boolean }>>

const needed = { isRequired: true }
const bytesFrom = (least: number) => ({ least, isWhole: true, isRequired: false })
const MS = { least: 0, isWhole: false, isRequired: false }

const NUMBERS: Readonly<Record<FaultKind, Numbers>> = {
  latency: { latencyMs: { ...MS, ...needed }, jitterMs: MS },
  bandwidth: { bytesPerSecond: { ...bytesFrom(1), ...needed } },
  slicer: { bytes: { ...bytesFrom(1), ...needed }, variation: bytesFrom(0), gapMs: MS },
  reset: { afterBytes: bytesFrom(0) },
  'black-hole': { endAfterMs: MS },
  'slow-close': { delayMs: { ...MS, ...needed } },
  'data-limit': { bytes: { ...bytesFrom(0), ...needed } },
  down: {},
}

const DIRECTIONS: ReadonlySet<unknown> = new Set([undefined, 'toTarget', 'toClient', 'both'])

/**
 * Checks a fault.
 * @throws TypeError for a kind, a direction or a property that does not exist, and for a number that is missing
 * @throws RangeError for a number out of its range
 */
export function checkFault(fault: Fault): void {
  const { kind, ...rest } = fault
  if (!Object.hasOwn(NUMBERS, kind)) {
    const kinds = Object.keys(NUMBERS).join(', ')
    throw new TypeError(`kind must be one of ${kinds}, not ${JSON.stringify(kind)}`)
  }
  const scope: FaultScope = kind === 'down' ? {} : rest
  if (!DIRECTIONS.has(scope.direction)) {
    const received = JSON.stringify(scope.direction)
    throw new TypeError(`direction must be toTarget, toClient or both, not ${received}`)
  }
  const { probability = 1 } = scope
  if (!(probability >= 0 && probability <= 1)) {
    throw new RangeError(`probability must be a number from 0 to 1, not ${probability}`)
  }
  checkNumbers(kind, rest)
}

function checkNumbers(kind: FaultKind, values: object): void {
  const numbers = NUMBERS[kind]
  const given = new Map<string, unknown>(Object.entries(values))
  const scope = kind === 'down' ? [] : ['direction', 'probability']
  for (const name of given.keys()) {
    if (!scope.includes(name) && !Object.hasOwn(numbers, name)) {
      throw new TypeError(`a fault of kind ${kind} has no ${name}`)
    }
  }
  for (const [name, { least, isWhole, isRequired }] of Object.entries(numbers)) {
    const value = given.get(name)
    if (value === undefined && !isRequired) continue
    if (typeof value !== 'number') {
      throw new TypeError(`${kind}: ${name} must be a number, not ${typeof value}`)
    }
    if (!(value >= least) || value === Infinity || (isWhole && !Number.isInteger(value))) {
      const what = isWhole ? 'a whole number' : 'a number'
      throw new RangeError(`${kind}: ${name} must be ${what}, ${least} or above, not ${value}`)
    }
  }
}
