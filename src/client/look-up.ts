/**
 * Turns the name of a host into its addresses. It knows nothing of ports, time or signals.
 *
 * A look-up cannot be cancelled: who gives it up is told nothing any more, and the answer that still comes is
 * ignored. Until then the system's look-up keeps a thread of the process busy, and the process alive.
 */
import dns from 'node:dns'
import net from 'node:net'
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
    answer(new LookupError(host, { cause }), [])
  }
  try {
    // As net.connect does: no addresses of a family that this machine has none of.
    lookup(host, { all: true, hints: dns.ADDRCONFIG }, (error, found) => {
      if (error !== null && error !== undefined) {
        fail(error)
        return
      }
      // A hosts file may say the same twice; a look-up of one's own may know only the form of one address.
      const all = typeof found === 'string' ? [found] : found.map(({ address }) => address)
      const addresses = [...new Set(all)]
      const odd = addresses.find((address) => net.isIP(address) === 0)
      if (addresses.length === 0) fail(noAddress())
      else if (odd !== undefined) fail(new TypeError(`${JSON.stringify(odd)} is no IP address`))
      else answer(undefined, addresses)
    })
  } catch (error) {
    fail(error)
  }
  return () => {
    isWaiting = false
  }
}

function noAddress(): Error {
  return Object.assign(new Error('the look-up gave no address'), { code: 'ENOTFOUND' })
}
