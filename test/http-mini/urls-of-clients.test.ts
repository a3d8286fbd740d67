/** What clients make of an address arrives as they made it, also where RFC 3986 would have had it encoded. */
import { onTestFinished, expect, test } from 'vitest'
import { startHttpServer } from '../../src/http-mini/index.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { portOf } from '../support/serve.js'

guardAgainstLeaks()

test.each([
  ['/search?filter[name]=a&filter[age]=3', 'filter[name]'],
  ['/a?q={"b":1}|c^d`e\\f', 'q'],
  ['/[draft]|2^3/é?q=ü', 'q'],
])('fetch() of %s', async (address, name) => {
  const server = await startHttpServer(
    ({ target, query }) => ({ target, value: query.get(name) }),
    { logger: false },
  )
  onTestFinished(async () => {
    server.abortClients()
    await server.stop({ graceMs: 100 })
  })
  const url = new URL(address, `http://127.0.0.1:${portOf(server.address)}`)
  const answer = await fetch(url)
  expect(answer.status).toBe(200)
  expect(await answer.json()).toEqual({
    target: url.pathname + url.search,
    value: url.searchParams.get(name),
  })
})
