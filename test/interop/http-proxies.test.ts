/**
 * Smuggling through HAProxy and nginx, as they come with Debian. Each hidden request of the conformance table is sent to
 * the proxy, which passes on what it makes of it over the one connection that it keeps; then somebody else's request
 * follows on that same connection, and must have its own answer. Whether the proxy or the server refuses the hidden one is
 * no matter: what must not happen is that the two disagree on where a request ends.
 */
import { describe, expect, test } from 'vitest'
import { transferEncodingCases } from '../http-mini/conformance/cases/transfer-encoding.js'
import { contentLengthCases } from '../http-mini/conformance/cases/content-length.js'
import { chunkedCases } from '../http-mini/conformance/cases/chunked.js'
import { cveCases } from '../http-mini/conformance/cases/cves.js'
import { smugglingCases } from '../http-mini/conformance/cases/smuggling.js'
import { trailerCases } from '../http-mini/conformance/cases/trailers.js'
import type { HttpCase } from '../http-mini/conformance/http-case.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { isMissing } from '../support/peers.js'
import { startProxy, type ProxyName } from '../support/proxies.js'
import { serveHttp } from '../support/serve-http.js'
import { dial, receiveAll, send } from '../support/wire.js'

guardAgainstLeaks()

const attacks: readonly HttpCase[] = [
  ...smugglingCases,
  ...transferEncodingCases,
  ...contentLengthCases,
  ...chunkedCases,
  ...trailerCases,
  ...cveCases,
].filter(({ bytes, after }) => bytes.length < 10_000 && typeof after !== 'number')

/** One request that the server saw: what it answers with, and the connection that it came on. */
interface Seen {
  /** Whether the answer has a body that tells which it is. */
  readonly isTold: boolean
  readonly echo: string
  readonly connection: number
}

describe.each<ProxyName>(['haproxy', 'nginx'])('Behind %s', (name) => {
  test.skipIf(isMissing(name))(
    'no request is taken for two, nor two for one',
    async () => {
      const seen: Seen[] = []
      let count = 0
      const { port } = await serveHttp(async (request) => {
        const body = await request.bytes()
        const { method, path } = request
        const echo = `<${++count} ${method} ${path} ${body.length}>`
        seen.push({ echo, connection: request.connection.id, isTold: method !== 'HEAD' })
        return echo
      })
      const { path } = await startProxy(name, port)
      const faults: string[] = []
      let shared = 0
      let reached = 0
      for (const [i, attack] of attacks.entries()) {
        const before = seen.length
        const answers = await exchange(path, attack.bytes)
        const ofAttack = seen.slice(before)
        const canary = await exchange(
          path,
          `GET /canary-${i} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
        )
        const ofCanary = seen.slice(before + ofAttack.length)

        reached += ofAttack.length
        if (ofAttack.at(-1)?.connection === ofCanary[0]?.connection) shared++
        const [own] = ofCanary
        if (
          ofCanary.length !== 1 ||
          own?.echo.includes(` GET /canary-${i} 0>`) !== true ||
          !canary.endsWith(own.echo)
        ) {
          faults.push(
            `${attack.name}: the canary was answered ${JSON.stringify(canary)}, and seen was ${JSON.stringify(ofCanary)}`,
          )
        }
        if (
          !inOrder(
            ofAttack.filter(({ isTold }) => isTold).map(({ echo }) => echo),
            answers,
          )
        ) {
          faults.push(
            `${attack.name}: seen was ${JSON.stringify(ofAttack)}, and answered ${JSON.stringify(answers)}`,
          )
        }
      }
      expect(faults).toEqual([])
      // The test is worth something only if requests get through and connections are shared.
      expect(reached).toBeGreaterThan(20)
      expect(shared).toBeGreaterThan(10)
    },
    120_000,
  )
})

/** Sends bytes and the end of them, and gives all that comes back. */
async function exchange(path: string, bytes: string): Promise<string> {
  const peer = dial({ path })
  const received = receiveAll(peer)
  await send(peer, Buffer.from(bytes, 'latin1')).catch(() => {})
  peer.end()
  return (await received).bytes.toString('latin1')
}

/** Whether each text is in the whole, one after the other. */
function inOrder(texts: readonly string[], whole: string): boolean {
  let at = 0
  return texts.every((text) => {
    at = whole.indexOf(text, at)
    if (at < 0) return false
    at += text.length
    return true
  })
}
