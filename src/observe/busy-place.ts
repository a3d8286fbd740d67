/**
 * Where in the program the thread has been busy of late: V8's sampling profiler runs along, and is read when somebody
 * asks. It costs next to nothing between two questions, and 5 to 15 ms of the thread for each; so ask when something
 * was slow anyhow. (Node 20 to 26.)
 *
 * It is a guess from samples: it names the function that most of them were in, by the line that it begins on. A function
 * that V8 has inlined may count as the one that called it, and what ran for less than two samples may be missed.
 *
 * Invariant: the samples cover at most about `RENEW_MS`, so that they never grow beyond it.
 */
import type * as Inspector from 'node:inspector'
import type { Profiler, Session } from 'node:inspector'
import { systemClock } from '../concurrency/clock.js'
import { isProgramFrame } from './call-site.js'
import { Ticker } from './ticker.js'

/** 20 samples in the shortest turn that is slow by default. */
const SAMPLE_MICROS = 5000
const RENEW_MS = 60_000

/**
 * The one session with V8's profiler. It is never ended: that would switch off the precise coverage of the whole
 * process, whoever has asked for it (`c8`, `NODE_V8_COVERAGE`, a test runner; Node 20 to 26).
 */
let shared: Session | undefined

/** How many sample: there is one profile for all. */
let sampling = 0

/** Samples this thread. When there are several, the samples begin anew for all as soon as one has looked. */
export class BusyPlace {
  #session: Session | undefined
  /** The tick only notes it, so that the renewal can be left out of what is measured. */
  readonly #ticker = new Ticker(systemClock, RENEW_MS, () => {
    this.#isDue = true
  })
  #isDue = false

  /** Begins to sample; does nothing in a Node that was built without the inspector. */
  start(): void {
    if (this.#session !== undefined) return
    shared ??= openSession()
    this.#session = shared
    if (this.#session === undefined) return
    if (sampling++ === 0) this.#session.post('Profiler.start')
    this.#ticker.start()
  }

  /** Ends sampling. Any number of calls. */
  stop(): void {
    if (this.#session === undefined) return
    if (--sampling === 0) this.#session.post('Profiler.stop')
    this.#session = undefined
    this.#ticker.stop()
  }

  /** Whether the samples are old enough for `renew()`. */
  get isDue(): boolean {
    return this.#isDue
  }

  /** Throws the samples away and begins anew. */
  renew(): void {
    this.find(0)
  }

  /**
   * The function of the program in which the thread was most of the last `ms` milliseconds, `parse (file:///app.js:7)`,
   * or what V8 was at instead, `(garbage collector)`; undefined when it does not know. The samples begin anew.
   */
  find(ms: number): string | undefined {
    this.#isDue = false
    const session = this.#session
    if (session === undefined) return undefined
    let found: string | undefined
    // On the own thread the answer comes before `post` returns.
    session.post('Profiler.stop', (error, answer) => {
      if (error === null) found = busiestPlace(answer.profile, ms)
    })
    session.post('Profiler.start')
    return found
  }
}

function openSession(): Session | undefined {
  let inspector: typeof Inspector
  try {
    // Not an import, which would fail where Node was built without it.
    inspector = process.getBuiltinModule('node:inspector')
  } catch {
    return undefined
  }
  const session = new inspector.Session()
  session.connect()
  session.post('Profiler.enable')
  session.post('Profiler.setSamplingInterval', { interval: SAMPLE_MICROS })
  return session
}

/** The function of the program that most samples of the last `ms` milliseconds were in, or below. */
export function busiestPlace(profile: Profiler.Profile, ms: number): string | undefined {
  const { nodes, samples = [], timeDeltas = [], startTime, endTime } = profile
  const places = placesOf(nodes)
  const counts = new Map<string, number>()
  let atMicros = startTime
  for (const [index, id] of samples.entries()) {
    atMicros += timeDeltas[index] ?? 0
    if (atMicros < endTime - ms * 1000) continue
    const place = places.get(id)
    if (place !== undefined) counts.set(place, (counts.get(place) ?? 0) + 1)
  }
  let busiest: string | undefined
  for (const [place, count] of counts) {
    if (busiest === undefined || count > (counts.get(busiest) ?? 0)) busiest = place
  }
  return busiest
}

/** For each node of the tree of calls the function of the program that it is, or that it was called by. */
function placesOf(nodes: readonly Profiler.ProfileNode[]): Map<number, string> {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const places = new Map<number, string>()
  // The root is the first of the nodes, and parents come before their children only by custom: so from the root down.
  const walk = (id: number, outer: string | undefined): void => {
    const node = byId.get(id)
    if (node === undefined) return
    const place = isProgramFrame(node.callFrame.url) ? describe(node.callFrame) : outer
    const own = place ?? (isActivity(node.callFrame) ? node.callFrame.functionName : undefined)
    if (own !== undefined) places.set(id, own)
    for (const child of node.children ?? []) walk(child, place)
  }
  const [root] = nodes
  if (root !== undefined) walk(root.id, undefined)
  return places
}

/** V8's own work has a name in brackets; the root of the tree and waiting are no work. */
function isActivity({ functionName, url }: InspectorCallFrame): boolean {
  return (
    url === '' &&
    functionName.startsWith('(') &&
    functionName !== '(root)' &&
    functionName !== '(idle)'
  )
}

type InspectorCallFrame = Profiler.ProfileNode['callFrame']

function describe({ functionName, url, lineNumber, columnNumber }: InspectorCallFrame): string {
  if (functionName === '' && lineNumber <= 0 && columnNumber <= 0) return `the top level (${url})`
  const name = functionName === '' ? 'an anonymous function' : functionName
  // The line that the function begins on; those of the profiler begin at 0.
  return `${name} (${url}:${lineNumber + 1})`
}
