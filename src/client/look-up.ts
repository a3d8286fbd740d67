/**
 * Turns the name of a host into its addresses. It knows nothing of ports, time or signals.
 *
 * A look-up cannot be cancelled: who gives it up is told nothing any more, and the answer that still comes is
 * ignored. Until then the system's look-up keeps a thread of the process busy, and the process alive.
 */
import dns from 'node:dns'
import net from 'node:net'
import { legible } from '../concurrency/legible.js'
import { LookupError } from '../errors.js'

/** Called once: with the addresses, at least one, in the order of the resolver; or with the error. */
export type LookUpDone = (error: LookupError | undefined, addresses: readonly string[]) => void

/** Asks for the addresses of `host`. The function it gives back ends the interest in the answer. */
export function lookUp(
  host: string,
  lookup: net.LookupFunction = dns.lookup,
  done: LookUpDone,
): () => void {
  let isWaiting = true
  const answer = (error: LookupError | undefined, addresses: readonly string[]): void => {
    if (!isWaiting) return
    isWaiting = false
    done(error, addresses)
  }
  const fail = (cause: unknown): void => {
    answer(new LookupError(host, { cause: legible(cause) }), [])
  }
  try {
    // As net.connect does: no addresses of a family that this machine has none of.
    lookup(host, { all: true, hints: dns.ADDRCONFIG }, (error, found) => {
      if (error !== null && error !== undefined) {
        fail(error)
        return
      }
      let addresses: string[]
      try {
        addresses = toAddresses(found)
      } catch (odd) {
        fail(odd)
        return
      }
      if (addresses.length === 0) fail(noAddress())
      else answer(undefined, addresses)
    })
  } catch (error) {
    fail(error)
  }
  return () => {
    isWaiting = false
  }
}

/** What a look-up gave, which may be one of the program's own. @throws TypeError when that is no IP addresses */
function toAddresses(found: unknown): string[] {
  // A look-up of one's own may know only the form of one address.
  const all: readonly unknown[] = Array.isArray(found) ? found : [found]
  const addresses = all.map((item) => {
    const address: unknown = typeof item === 'object' ? (item as dns.LookupAddress).address : item
    if (typeof address === 'string' && net.isIP(address) !== 0) return address
    const given = typeof address === 'string' ? JSON.stringify(address) : typeof address
    throw new TypeError(`${given} is no IP address`)
  })
  // A hosts file may say the same twice.
  return [...new Set(addresses)]
}

function noAddress(): Error {
  return Object.assign(new Error('the look-up gave no address'), { code: 'ENOTFOUND' })
}
