/** A fault that is in force: what `FaultProxy.add()` gives, to change it and to take it back. */
import { checkFault, type Fault, type FaultKind, type FaultScope, type FaultWay } from './fault.js'

/** What an active fault needs of the proxy that it belongs to. */
export interface FaultOwner {
  /** A fault has been changed or removed. Resolves when that has taken effect. */
  faultChanged(): Promise<void>
}

/** A fault of a proxy. It holds for the connections that are open as well as for new ones. */
export class ActiveFault<Settings extends Fault = Fault> {
  /** Counted from 1 over the faults of a proxy. */
  readonly id: number
  readonly kind: FaultKind
  /** What it was given, or its kind and number: `latency-1`. */
  readonly name: string
  readonly #owner: FaultOwner
  #settings: Settings
  #applied = 0
  #isRemoved = false

  /** Made by a FaultProxy. @internal */
  constructor(id: number, settings: Settings, owner: FaultOwner) {
    checkFault(settings)
    this.id = id
    this.kind = settings.kind
    this.name = settings.name ?? `${settings.kind}-${id}`
    this.#settings = { ...settings }
    this.#owner = owner
  }

  /** What it is set to. */
  get settings(): Readonly<Settings> {
    return this.#settings
  }

  /** How often it has done something, over all connections; see `FaultProxyStats.applied`. */
  get applied(): number {
    return this.#applied
  }

  get isRemoved(): boolean {
    return this.#isRemoved
  }

  /**
   * Sets some of it anew; counts of bytes go on. What waits by the old settings waits by the new ones from now on.
   *
   * @throws TypeError, RangeError for settings that make no sense; it then stays as it was
   * @throws TypeError when it was removed, and for another kind or name
   */
  change(changes: Partial<Omit<Settings, 'kind' | 'name'>>): void {
    if (this.#isRemoved) throw new TypeError(`the fault ${this.name} was removed; add a new one`)
    const given = new Map<string, unknown>(Object.entries(changes))
    for (const fixed of ['kind', 'name'] as const) {
      if (given.has(fixed) && given.get(fixed) !== this.#settings[fixed]) {
        throw new TypeError(`the ${fixed} of ${this.name} cannot be changed; add another fault`)
      }
    }
    const settings = { ...this.#settings, ...changes, kind: this.kind } as Settings
    checkFault(settings)
    this.#settings = settings
    void this.#owner.faultChanged()
  }

  /**
   * Ends it; a second call does nothing more. Resolves when that has taken effect: at once, but for `down`.
   *
   * @throws ListenError when the proxy was down and cannot listen where it did any more. A rejection that nobody
   *   awaits does not end the process.
   */
  remove(): Promise<void> {
    this.#isRemoved = true
    return this.#owner.faultChanged()
  }

  /**
   * It has done something.
   * @internal
   */
  strike(): void {
    this.#applied++
  }

  /**
   * Whether it holds this way.
   * @internal
   */
  holds(way: FaultWay): boolean {
    if (this.#isRemoved || this.kind === 'down') return false
    const { direction = 'both' } = this.#settings as FaultScope
    return direction === 'both' || direction === way
  }
}
