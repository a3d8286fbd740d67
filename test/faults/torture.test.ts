/** A conversation in which the nth operation of the transports fails, for every n and many errors: all comes to an end. */
import { expect } from 'vitest'
import { LineClient } from '../../src/client/line-client.js'
import { StandpipeError } from '../../src/errors.js'
import type { Connection } from '../../src/protocol/connection.js'
import { runHandler } from '../../src/protocol/handler.js'
import { lineEcho } from '../../src/server/line-echo.js'
import { loopTurns } from '../../src/testing/fake-clock.js'
import { connectionPair, type MemoryOperation } from '../../src/testing/index.js'
import { fault } from '../support/fault.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { watch, type Watched } from '../support/settled.js'

guardAgainstLeaks()

const GAVE_UP = new Error('enough')
const LINES = ['one', 'a longer line '.repeat(20), 'three', '']

/** Speaks line by line, half-closes, and reads what still comes. */
async function speak({ reader, writer }: Connection, answers: string[]): Promise<void> {
  for (const line of LINES) {
    writer.write(`${line}\n`)
    await writer.drain()
    const answer = await reader.readLine()
    if (answer === null) return
    answers.push(answer)
  }
  writer.write('last words\n')
  await writer.flush()
  writer.writeEof()
  for await (const line of reader.lines()) answers.push(line)
}

interface Played {
  /** Whether there was an operation of that number. */
  readonly failed: MemoryOperation | undefined
  readonly answers: readonly string[]
  /** What the client's program came to. */
  readonly outcome: unknown
  readonly states: readonly string[]
  readonly handlerSettled: boolean
  readonly pendingTimers: number
}

async function play(nth: number, code: string): Promise<Played> {
  let failed: MemoryOperation | undefined
  const { client, server, clock } = connectionPair({
    both: { logger: false },
    // Little room, so that there are many operations.
    transport: {
      bufferBytes: 100,
      intercept: (operation) => {
        if (operation.nth !== nth) return undefined
        failed = operation
        return code
      },
    },
  })
  let handlerSettled = false
  runHandler(server, lineEcho({ prefix: '' }), () => {
    handlerSettled = true
  })
  const answers: string[] = []
  const program = watch(speak(client, answers).finally(() => void client.close()))
  const closings = [watch(client.closed), watch(server.closed), watch(client.writer.waitClosed())]
  // Turns enough for the whole conversation; then more time than a linger takes, and less than any other deadline.
  await loopTurns(300)
  await clock.advance(15_000)
  const outcome = program.state === 'pending' ? 'pending' : program.error
  expect(closings.map(({ state }) => state)).not.toContain('pending')
  return {
    failed,
    answers,
    outcome,
    states: [client.state, server.state],
    handlerSettled,
    pendingTimers: clock.pendingTimers,
  }
}

for (const code of ['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ECONNABORTED', 'EIO']) {
  fault(
    'F65',
    `${code} in any operation of a conversation ends it for both, with an error of the kit, and no wrong answer`,
    async ({ figure }) => {
      const expected = [...LINES, 'last words']
      let operations = 0
      for (;;) {
        const played = await play(operations + 1, code)
        expect({ ...played, failed: undefined, answers: undefined, outcome: undefined }).toEqual({
          states: ['closed', 'closed'],
          handlerSettled: true,
          pendingTimers: 0,
        })
        const { answers, outcome } = played
        expect(answers).toEqual(expected.slice(0, answers.length))
        expect(outcome === undefined || outcome instanceof StandpipeError).toBe(true)
        if (played.failed === undefined) break
        operations++
      }
      // Without a failure the conversation is whole.
      expect(operations).toBeGreaterThan(20)
      figure('operations that were made to fail', operations)
    },
  )
}

fault('F65', 'without a failure the same conversation is whole', async () => {
  const { failed, answers, outcome } = await play(Infinity, '')
  expect({ failed, answers, outcome }).toEqual({
    failed: undefined,
    answers: [...LINES, 'last words'],
    outcome: undefined,
  })
})

/** Requests that are pipelined, some with a deadline, some that are aborted, and one whose reply is long. */
async function ask(client: LineClient): Promise<readonly [string, Watched<unknown>][]> {
  const giveUp = new AbortController()
  const asked: [string, Watched<unknown>][] = []
  for (const [n, line] of [...LINES, 'y'.repeat(500), 'last'].entries()) {
    const options = n % 2 === 0 ? { timeoutMs: 5000 } : { signal: giveUp.signal }
    asked.push([line, watch(client.request(line, options))])
  }
  asked.push(['', watch(client.send('unanswered'))])
  await loopTurns(3)
  giveUp.abort(GAVE_UP)
  return asked
}

for (const code of ['ECONNRESET', 'EPIPE', 'EIO']) {
  fault(
    'F65',
    `${code} in any operation under a LineClient settles every request, with its own reply or an error`,
    async () => {
      for (let nth = 1; ; nth++) {
        let hasFailed = false
        const {
          client: connection,
          server,
          clock,
        } = connectionPair({
          both: { logger: false },
          transport: {
            bufferBytes: 100,
            intercept: (operation) => {
              if (operation.nth !== nth) return undefined
              hasFailed = true
              return code
            },
          },
        })
        runHandler(server, lineEcho({ prefix: '' }), () => {})
        const client = new LineClient(connection, { clock })
        const asked = await ask(client)
        await loopTurns(200)
        const closing = watch(client.close())
        await clock.advance(20_000)
        for (const [line, { state, value, error }] of asked) {
          if (state === 'resolved') expect(value ?? '').toBe(line)
          else expect(error === GAVE_UP || error instanceof StandpipeError).toBe(true)
          expect(state).not.toBe('pending')
        }
        expect(closing.state).toBe('resolved')
        expect([connection.state, server.state]).toEqual(['closed', 'closed'])
        expect(clock.pendingTimers).toBe(0)
        if (!hasFailed) break
      }
    },
  )
}
