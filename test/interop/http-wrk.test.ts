/** wrk for one second: it counts, and every answer must be one. */
import { expect, test } from 'vitest'
import { RunningCommand } from '../support/command.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { isMissing } from '../support/peers.js'
import { serveHttp } from '../support/serve-http.js'
import { makeShop } from './http-shop.js'

guardAgainstLeaks()

test.skipIf(isMissing('wrk'))('wrk has an answer to every request of a second', async () => {
  const shop = makeShop()
  const { origin, server } = await serveHttp(shop.router)
  const { code, stdout } = await new RunningCommand(
    'wrk',
    ['-t1', '-c16', '-d1s', `${origin}/json`],
    {},
  ).ended
  const report = stdout.toString()
  const [, requests] = /(\d+) requests in/.exec(report) ?? []
  expect(code).toBe(0)
  expect(report).not.toMatch(/Socket errors|Non-2xx/)
  expect(Number(requests)).toBeGreaterThan(100)
  // wrk leaves some unanswered when its second is over.
  expect(shop.asked.length).toBeGreaterThanOrEqual(Number(requests))
  expect(server.stats.accepted).toBeLessThanOrEqual(17)
})
