/**
 * 5.1.1 Fetching several URLs at the same time: `aiohttp.ClientSession().get()` is `fetch()`, which is a part of Node.
 *
 * The tutorial asks a public site, without a limit of time; here a site of the example's own answers, and each request
 * has so long. What `fetch` says is "fetch failed": the reason is in the `cause` of its error.
 */
import { startLocalSite, unusedUrl } from './local-site.js'
import { startStopwatch } from './start-stopwatch.js'

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

await using site = await startLocalSite()
const nobody = await unusedUrl()
await fetchUrl(site.url) // the first call of `fetch` loads it

const elapsed = startStopwatch()
const results = await Promise.all([
  fetchUrl(`${site.url}/delay/100`),
  fetchUrl(`${site.url}/delay/200`),
  fetchUrl(`${site.url}/delay/100`),
  fetchUrl(`${site.url}/json`),
  fetchUrl(`${site.url}/missing`),
  fetchUrl(`${nobody}/nobody`),
])
console.log(`in all: ${elapsed()}`)
for (const result of results) console.log(result)

// Prints:
// in all: 0.2 s
// /delay/100: 200, 21 characters
// /delay/200: 200, 21 characters
// /delay/100: 200, 21 characters
// /json: 200, 16 characters
// /missing: 404, 30 characters
// /nobody: ECONNREFUSED
