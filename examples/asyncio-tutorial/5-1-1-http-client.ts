/**
 * 5.1.1 Fetching several URLs at the same time: `aiohttp.ClientSession().get()` is `fetch()`, which is a part of Node.
 *
 * The tutorial asks a public site, without a limit of time; here a server of the example's own answers, and each request
 * has so long. What `fetch` says is "fetch failed": the reason is in the `cause` of its error.
 */
import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { sleep } from 'standpipe/concurrency'
import { startStopwatch } from './start-stopwatch.js'

/** Listens on a free port, and gives the address. */
async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const server = createServer((request, response) => {
  const [, delayMs = '0'] = /^\/delay\/(\d+)$/.exec(request.url ?? '') ?? []
  void sleep(Number(delayMs)).then(() => response.end(JSON.stringify({ path: request.url })))
})
const site = await listen(server)

const gone = createServer()
const nobody = await listen(gone)
gone.close()

async function fetchUrl(url: string): Promise<string> {
  const { pathname } = new URL(url)
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000) })
    const content = await response.text()
    return `${pathname}: ${response.status}, ${content.length} characters`
  } catch (error) {
    const { message, cause } = error as Error & { cause?: { code?: string } }
    return `${pathname}: ${cause?.code ?? message}`
  }
}

const elapsed = startStopwatch()
const results = await Promise.all([
  fetchUrl(`${site}/delay/100`),
  fetchUrl(`${site}/delay/200`),
  fetchUrl(`${site}/delay/100`),
  fetchUrl(`${site}/`),
  fetchUrl(`${site}/json`),
  fetchUrl(`${nobody}/nobody`),
])
console.log(`in all: ${elapsed()}`)
for (const result of results) console.log(result)
server.close()
server.closeAllConnections()

// Prints:
// in all: 0.2 s
// /delay/100: 200, 21 characters
// /delay/200: 200, 21 characters
// /delay/100: 200, 21 characters
// /: 200, 12 characters
// /json: 200, 16 characters
// /nobody: ECONNREFUSED
