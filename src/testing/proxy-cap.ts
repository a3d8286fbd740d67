/** How many connections a proxy may lead at once: each takes two descriptors, where a server's takes one. */
import { defaultCap } from '../server/admission.js'
import type { Descriptors } from '../server/descriptors.js'

const DESCRIPTORS_EACH = 2

export interface ProxyCap {
  readonly maxConnections: number
  /** What an operator should know at the start, with its numbers; what the server itself says is not said again. */
  readonly warning: { readonly fields: object; readonly message: string } | undefined
}

/**
 * The cap of a proxy.
 *
 * @param wanted What was asked for; undefined for what the descriptors allow
 * @param descriptors What the process has at the start; undefined where it is not known to have a limit
 */
export function proxyCap(
  wanted: number | undefined,
  descriptors: Descriptors | undefined,
): ProxyCap {
  const most = defaultCap(Infinity)
  if (descriptors === undefined) return { maxConnections: wanted ?? most, warning: undefined }
  const { limit, open } = descriptors
  const free = limit - open
  const cap = wanted ?? defaultCap(Math.floor(free / DESCRIPTORS_EACH))
  const fields = { maxConnections: cap, descriptorLimit: limit, descriptorsOpen: open }
  const numbers = `each takes two descriptors, and this process may have ${limit} and has ${open} open`
  if (wanted === undefined) {
    if (cap === most) return { maxConnections: cap, warning: undefined }
    const message = `at most ${cap} connections instead of ${most}: ${numbers}. Raise the limit (ulimit -n)`
    return { maxConnections: cap, warning: { fields, message } }
  }
  // A cap that is too high for one descriptor each the server tells of.
  if (wanted > free || wanted * DESCRIPTORS_EACH <= free) {
    return { maxConnections: wanted, warning: undefined }
  }
  const message = `maxConnections is ${wanted}, but ${numbers}: targets beyond that cannot be connected to. Raise the limit (ulimit -n), or lower maxConnections`
  return { maxConnections: wanted, warning: { fields, message } }
}
