/** How much of everything a request may have: HTTP.md of the field says who else has which limit. */

export interface HttpLimits {
  /** A head, its empty line included, in bytes; past it 431. @default 16384 */
  headBytes?: number | undefined
  /** The fields of a head, and those of a trailer section; past it 431. @default 100 */
  fields?: number | undefined
  /** The request target in bytes; past it 414. @default 8192 */
  targetBytes?: number | undefined
  /** A body in bytes, on every way to read it; past it 413. @default 1048576 */
  bodyBytes?: number | undefined
  /** A trailer section in bytes; past it 431. @default 8192 */
  trailerBytes?: number | undefined
  /** Requests on one connection; the last answer says `Connection: close`. @default Infinity */
  maxRequestsPerConnection?: number | undefined
}

export type ResolvedHttpLimits = { readonly [Name in keyof HttpLimits]-?: number }

const DEFAULT_LIMITS: ResolvedHttpLimits = Object.freeze({
  headBytes: 16 * 1024,
  fields: 100,
  targetBytes: 8 * 1024,
  bodyBytes: 1024 * 1024,
  trailerBytes: 8 * 1024,
  maxRequestsPerConnection: Infinity,
})

/** Limits with their defaults. @throws RangeError for one that is not a number above 0, `bodyBytes` 0 or above */
export function resolveHttpLimits(limits: HttpLimits = {}): ResolvedHttpLimits {
  const resolved: Record<string, number> = { ...DEFAULT_LIMITS }
  for (const name of Object.keys(DEFAULT_LIMITS) as (keyof HttpLimits)[]) {
    const value = limits[name]
    if (value === undefined) continue
    const least = name === 'bodyBytes' ? 0 : 1
    if (!(value >= least) || (value !== Infinity && !Number.isInteger(value))) {
      throw new RangeError(
        `limits.${name} must be a whole number, ${least} or above, or Infinity, not ${value}`,
      )
    }
    resolved[name] = value
  }
  return resolved as ResolvedHttpLimits
}
