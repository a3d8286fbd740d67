import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { StandpipeError } from '../../src/errors.js'
import type { Connection } from '../../src/protocol/connection.js'
import { connectionPair } from '../../src/testing/index.js'
import { loopTurns } from '../../src/testing/fake-clock.js'

/** What one end may be asked to do, `size` where it matters; a promise is a call that waits. */
const doings: Readonly<Record<string, (end: Connection, size: number) => Promise<unknown> | void>> =
  {
    write: (end, size) => end.writer.write(Buffer.alloc(size, 'abc\n')),
    drain: async (end) => end.writer.drain(),
    flush: async (end) => end.writer.flush(),
    read: async (end, size) => end.reader.read(size),
    readExactly: async (end, size) => end.reader.readExactly(size),
    readLine: async (end) => end.reader.readLine(),
    writeEof: (end) => end.writer.writeEof(),
    close: async (end) => end.close(),
    abort: (end) => end.abort(),
  }

interface Step {
  readonly what: string
  readonly end: 'client' | 'server'
  readonly size: number
}

const step: fc.Arbitrary<Step> = fc.record({
  what: fc.constantFrom(...Object.keys(doings), 'turns', 'time'),
  end: fc.constantFrom('client', 'server'),
  size: fc.integer({ min: 1, max: 5_000 }),
})

describe('two connections, whatever is done to them in whatever order', () => {
  test('settle every call, end, and leave no timer', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 25 }),
        fc.constantFrom(100, 3_000, 65_536),
        fc.constantFrom(500, 65_536),
        async (steps, bufferBytes, limit) => {
          const pair = connectionPair({
            transport: { bufferBytes },
            both: { limit, highWaterMark: 2_000, logger: false },
          })
          const pending = new Set<string>()
          const follow = (name: string, call: Promise<unknown>): void => {
            pending.add(name)
            const settled = (): boolean => pending.delete(name)
            call.then(settled, settled)
          }
          for (const [index, { what, end, size }] of steps.entries()) {
            if (what === 'turns') await loopTurns(size % 6)
            else if (what === 'time') await pair.clock.advance(size % 1_000)
            else {
              try {
                const call = doings[what]?.(pair[end], size)
                if (call !== undefined) follow(`${index}: ${what}`, call)
              } catch (error) {
                if (!(error instanceof StandpipeError)) throw error
              }
            }
          }
          follow('last close of the client', pair.client.close())
          follow('last close of the server', pair.server.close())
          await loopTurns(50)
          await pair.clock.advance(100_000)
          expect([...pending]).toEqual([])
          expect([pair.client.state, pair.server.state]).toEqual(['closed', 'closed'])
          expect(pair.clock.pendingTimers).toBe(0)
        },
      ),
      { numRuns: 300 },
    )
  })
})
