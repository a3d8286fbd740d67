/**
 * The faults of a {@link FaultProxy} as data: what there is, what each can be set to, and which values make sense.
 * (Those of Toxiproxy, by the names of this kit.)
 */

/** Which way bytes go: from who dialled the proxy to its target, or back. */
export type FaultWay = 'toTarget' | 'toClient'

/** What every fault has. */
export interface FaultBase {
  /** What to call it, for `proxy.fault(name)` and in events; no two in force may share one. @default its kind and number */
  readonly name?: string | undefined
}

/** What every fault has, but for `down`. */
export interface FaultScope extends FaultBase {
  /** Which way it is in force. @default 'both' */
  readonly direction?: FaultWay | 'both' | undefined
  /** The share of the connections that it strikes, from 0 to 1; which ones, the seed decides. @default 1 */
  readonly probability?: number | undefined
  /** The numbers of the connections that it may strike: `[2]` is the second that the proxy takes. @default all */
  readonly connections?: readonly number[] | undefined
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

/**
 * After so many bytes, or after some time, both ends see a reset: whichever comes first, and at once where neither is
 * given. Both count from when the fault began to hold for the connection.
 */
export interface ResetFault extends FaultScope {
  readonly kind: 'reset'
  /** 0 is at once. @default 0, with `afterMs` never */
  readonly afterBytes?: number | undefined
  /** Whether bytes pass or not; a black hole does not keep it off. @default never */
  readonly afterMs?: number | undefined
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
export interface DownFault extends FaultBase {
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

/** What may be set besides name and scope: the least value, and whether it must be given. */
type Numbers = Readonly<Record<string, { least: number; isWhole: boolean; isRequired: boolean }>>

const needed = { isRequired: true }
const bytesFrom = (least: number) => ({ least, isWhole: true, isRequired: false })
const MS = { least: 0, isWhole: false, isRequired: false }

const NUMBERS: Readonly<Record<FaultKind, Numbers>> = {
  latency: { latencyMs: { ...MS, ...needed }, jitterMs: MS },
  bandwidth: { bytesPerSecond: { ...bytesFrom(1), ...needed } },
  slicer: { bytes: { ...bytesFrom(1), ...needed }, variation: bytesFrom(0), gapMs: MS },
  reset: { afterBytes: bytesFrom(0), afterMs: MS },
  'black-hole': { endAfterMs: MS },
  'slow-close': { delayMs: { ...MS, ...needed } },
  'data-limit': { bytes: { ...bytesFrom(0), ...needed } },
  down: {},
}

/** What Toxiproxy calls those whose names differ. */
const OTHER_NAMES: Readonly<Record<string, FaultKind>> = {
  limit_data: 'data-limit',
  reset_peer: 'reset',
  slow_close: 'slow-close',
  timeout: 'black-hole',
}

const DIRECTIONS: ReadonlySet<unknown> = new Set([undefined, 'toTarget', 'toClient', 'both'])
const SCOPE = ['direction', 'probability', 'connections']

/**
 * Checks a fault.
 * @throws TypeError for what is no object, for a kind, a direction or a property that does not exist, for a number
 *   that is missing, and for what is of another type
 * @throws RangeError for a number out of its range
 */
export function checkFault(fault: Fault): void {
  if (typeof fault !== 'object' || (fault as Fault | null) === null) {
    throw new TypeError(`fault must be an object such as { kind: 'reset' }, not ${show(fault)}`)
  }
  const { kind, name, ...rest } = fault
  if (typeof kind !== 'string' || !Object.hasOwn(NUMBERS, kind)) throw unknownKind(kind)
  if (name !== undefined && (typeof name !== 'string' || name === '')) {
    throw new TypeError(`name must be a text that is not empty, not ${show(name)}`)
  }
  checkNames(kind, rest)
  checkScope(rest)
  checkNumbers(kind, rest)
}

function unknownKind(kind: unknown): TypeError {
  const kinds = Object.keys(NUMBERS).join(', ')
  const here = typeof kind === 'string' ? OTHER_NAMES[kind] : undefined
  const hint = here === undefined ? '' : `, which is ${here} here`
  return new TypeError(`kind must be one of ${kinds}, not ${show(kind)}${hint}`)
}

function checkNames(kind: FaultKind, values: object): void {
  const known = [...Object.keys(NUMBERS[kind]), ...(kind === 'down' ? [] : SCOPE)]
  for (const name of Object.keys(values)) {
    if (known.includes(name)) continue
    const has = known.length === 0 ? 'nothing to set but a name' : known.join(', ')
    throw new TypeError(`a fault of kind ${kind} has no ${name}; it has ${has}`)
  }
}

function checkScope({ direction, probability, connections }: Omit<FaultScope, 'name'>): void {
  if (!DIRECTIONS.has(direction)) {
    throw new TypeError(`direction must be toTarget, toClient or both, not ${show(direction)}`)
  }
  if (probability !== undefined) {
    if (typeof probability !== 'number') {
      throw new TypeError(`probability must be a number, not ${show(probability)}`)
    }
    if (!(probability >= 0 && probability <= 1)) {
      throw new RangeError(`probability must be a number from 0 to 1, not ${probability}`)
    }
  }
  if (connections === undefined) return
  if (!Array.isArray(connections)) {
    throw new TypeError(`connections must be an array of numbers, not ${show(connections)}`)
  }
  for (const number of connections as readonly unknown[]) {
    if (!Number.isSafeInteger(number) || (number as number) < 1) {
      throw new RangeError(`connections must be whole numbers, 1 or above, not ${show(number)}`)
    }
  }
}

function checkNumbers(kind: FaultKind, values: object): void {
  const given = new Map<string, unknown>(Object.entries(values))
  for (const [name, { least, isWhole, isRequired }] of Object.entries(NUMBERS[kind])) {
    const value = given.get(name)
    if (value === undefined && !isRequired) continue
    if (typeof value !== 'number') {
      throw new TypeError(`${kind}: ${name} must be a number, not ${show(value)}`)
    }
    if (!(value >= least) || value === Infinity || (isWhole && !Number.isInteger(value))) {
      const what = isWhole ? 'a whole number' : 'a number'
      throw new RangeError(`${kind}: ${name} must be ${what}, ${least} or above, not ${value}`)
    }
  }
}

/** A value as a message shows it. */
function show(value: unknown): string {
  return typeof value === 'string' || Array.isArray(value) ? JSON.stringify(value) : String(value)
}
