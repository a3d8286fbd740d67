/** Which coding of a representation a request would rather have (RFC 9110, section 12.5.3). */
import { trimWhite } from './octets.js'

/** How much a coding is wanted: 0 to 1, 0 for not at all. */
type Weights = ReadonlyMap<string, number>

const MEMBER = /^([!#$%&'*+.^_`|~\w-]+)(?:[ \t]*;[ \t]*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?$/i

/**
 * The first of the codings in `available`, the best one first, that is wanted no less than any other and than none
 * at all; undefined for none, which is also what is sent to a request that accepts nothing.
 *
 * @param field The value of Accept-Encoding; members that are none are ignored
 */
export function chooseCoding<Coding extends string>(
  field: string | undefined,
  available: readonly Coding[],
): Coding | undefined {
  // Without the field anything would do; none at all is what everybody understands.
  if (field === undefined || available.length === 0) return undefined
  const weights = parseWeights(field)
  const others = weights.get('*')
  let best: Coding | undefined
  let most = 0
  for (const coding of available) {
    const weight = weights.get(coding) ?? others ?? 0
    if (weight > most) {
      best = coding
      most = weight
    }
  }
  // What is not coded is always acceptable unless it is refused; it is preferred only where it is said to be.
  return most >= (weights.get('identity') ?? 0) ? best : undefined
}

function parseWeights(field: string): Weights {
  const weights = new Map<string, number>()
  for (const member of field.split(',')) {
    const [, name, weight = '1'] = MEMBER.exec(trimWhite(member)) ?? []
    if (name !== undefined) weights.set(standardName(name.toLowerCase()), Number(weight))
  }
  return weights
}

/** Section 8.4.1.3: a recipient takes `x-gzip` for `gzip`. */
function standardName(name: string): string {
  return name === 'x-gzip' ? 'gzip' : name
}
