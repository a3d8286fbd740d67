/** Handlers that fail, and that do not end: each hurts its own connection alone. */
import { expect } from 'vitest'
import { deferred } from '../../src/concurrency/deferred.js'
import type { Handler } from '../../src/protocol/handler.js'
import { eventually } from '../support/eventually.js'
import { fault } from '../support/fault.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { dial, send, wasReset } from '../support/wire.js'

guardAgainstLeaks()

const failing: ['F29' | 'F30', string, (error: Error) => unknown][] = [
  [
    'F29',
    'throws',
    (error) => {
      throw error
    },
  ],
  ['F30', 'rejects', (error) => Promise.reject(error)],
  [
    'F30',
    'rejects later',
    async (error) => {
      await new Promise((resolve) => setImmediate(resolve))
      throw error
    },
  ],
]
for (const [id, what, fail] of failing) {
  fault(
    id,
    `a handler that ${what} has its own connection reset, logged once with its stack`,
    async ({ serve, log }) => {
      const error = new Error('a fault of the handler')
      let count = 0
      const handler: Handler = ({ reader, writer }) => {
        if (++count === 2) return fail(error)
        return (async () => {
          for await (const line of reader.lines()) writer.write(`${line}\n`)
        })()
      }
      const server = await serve(handler)
      const good = dial(server.address)
      await send(good, 'before\n')
      await eventually(() => count === 1)
      const bad = dial(server.address)
      expect(await wasReset(bad)).toBe(true)
      await eventually(() => server.stats.closedBy['handler-failed'] === 1)
      good.end('after\n')
      let replies = ''
      good.on('data', (chunk: Buffer) => {
        replies += chunk.toString()
      })
      good.resume()
      await eventually(() => server.stats.open === 0)
      await eventually(() => replies === 'before\nafter\n')
      expect(log.records).toMatchObject([{ level: 'error', fields: { err: error } }])
      expect(error.stack).toContain('handlers.test.ts')
      expect(server.stats.closedBy).toEqual({ 'handler-failed': 1, ended: 1 })
    },
  )
}

fault(
  'F32',
  'a handler that never settles does not hold the stop beyond its grace, and is named',
  async (scene) => {
    const never = deferred()
    const server = await scene.serve(async ({ writer }) => {
      writer.write('hello\n')
      await never.promise
    })
    const client = dial(server.address)
    await eventually(() => server.stats.open === 1)
    const graceMs = 200
    const from = performance.now()
    const report = await server.stop({ graceMs })
    const tookMs = performance.now() - from
    expect(tookMs).toBeGreaterThanOrEqual(graceMs - 1)
    expect(tookMs).toBeLessThanOrEqual(graceMs + 1000)
    expect(report).toMatchObject({
      drained: 0,
      aborted: 1,
      stragglers: [`127.0.0.1:${client.localPort}`],
    })
    expect(server.stats.timedOutBy).toEqual({ grace: 1 })
    scene.figure('stopped after a grace of 200 ms', tookMs, 'ms')
    never.resolve()
  },
)
