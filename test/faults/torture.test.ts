/** Conversations in which the nth operation of the transports fails, for every n and many errors: all comes to an end. */
import { expect } from 'vitest'
import { LineClient } from '../../src/client/line-client.js'
import { StandpipeError } from '../../src/errors.js'
import { httpHandler } from '../../src/http-mini/http-handler.js'
import type { Connection } from '../../src/protocol/connection.js'
import { lineEcho } from '../../src/server/line-echo.js'
import { loopTurns } from '../../src/testing/fake-clock.js'
import { torture, type TortureAttempt } from '../../src/testing/index.js'
import { fault } from '../support/fault.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { RecordingLogger } from '../support/recording-logger.js'
import { watch, type Watched } from '../support/settled.js'

guardAgainstLeaks()

const GAVE_UP = new Error('enough')
const LINES = ['one', 'a longer line '.repeat(20), 'three', '']
/** The ends of a connection that are faults. */
const FAULT_KINDS: ReadonlySet<string> = new Set(['reset', 'failed', 'timed-out'])
const CODES = ['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ECONNABORTED', 'EIO']

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

async function converse({ client, serve }: TortureAttempt, answers: string[]): Promise<void> {
  serve(lineEcho({ prefix: '' }))
  try {
    await speak(client, answers)
  } finally {
    expect(answers).toEqual([...LINES, 'last words'].slice(0, answers.length))
    await client.close()
  }
}

for (const code of CODES) {
  fault(
    'F65',
    `${code} in any operation of a conversation ends it for both, with an error of the kit, and no wrong answer`,
    async ({ figure }) => {
      const { attempts } = await torture((attempt) => converse(attempt, []), { codes: [code] })
      // Without a failure the conversation is whole.
      expect(attempts).toBeGreaterThan(20)
      figure('operations that were made to fail', attempts)
    },
  )
}

fault('F65', 'without a failure the same conversation is whole', async () => {
  const plays: string[][] = []
  const scenario = (attempt: TortureAttempt): Promise<void> => {
    const answers: string[] = []
    plays.push(answers)
    return converse(attempt, answers)
  }
  const { attempts } = await torture(scenario, { codes: ['EPIPE'] })
  // The first time nothing fails; the last time as well, by which it knows that there are no more operations.
  expect(plays[0]).toEqual([...LINES, 'last words'])
  expect(plays).toHaveLength(attempts + 2)
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

for (const code of CODES) {
  fault(
    'F65',
    `${code} in any operation under a LineClient settles every request, with its own reply or an error`,
    async () => {
      const scenario = async ({ client: connection, clock, serve }: TortureAttempt) => {
        serve(lineEcho({ prefix: '' }))
        const client = new LineClient(connection, { clock })
        const asked = await ask(client)
        await loopTurns(200)
        await client.close()
        for (const [line, { state, value, error }] of asked) {
          if (state === 'resolved') expect(value ?? '').toBe(line)
          else expect(error === GAVE_UP || error instanceof StandpipeError).toBe(true)
          expect(state).not.toBe('pending')
        }
      }
      const { operations } = await torture(scenario, { codes: [code] })
      expect(operations).toBeGreaterThan(20)
    },
  )
}

const REQUESTS =
  'GET /a HTTP/1.1\r\nHost: a\r\n\r\n' +
  'POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 300\r\n\r\n' +
  'x'.repeat(300) +
  'GET /c HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'

/** Pipelined requests, one of them with a body; tells all that comes back, with the dates left out, also when it breaks. */
async function browse(
  { client, serve }: TortureAttempt,
  tell: (received: string) => void,
): Promise<void> {
  serve(
    httpHandler(async (request) => {
      const body = request.method === 'POST' ? await request.text() : ''
      return `${request.path} ${'z'.repeat(200)} ${body.length}`
    }),
  )
  let received = ''
  try {
    client.writer.write(REQUESTS)
    await client.writer.flush()
    for await (const chunk of client.reader.chunks()) received += chunk.toString('latin1')
  } finally {
    tell(received.replaceAll(/^Date: .*$/gim, 'Date'))
    await client.close()
  }
}

for (const code of CODES) {
  fault(
    'F65',
    `${code} in any operation under HTTP ends the connection, and what came is a beginning of the right answers`,
    async () => {
      let whole: string | undefined
      const { operations } = await torture(
        (attempt) =>
          browse(attempt, (received) => {
            whole ??= received
            expect(whole.startsWith(received)).toBe(true)
          }),
        { codes: [code] },
      )
      expect(whole?.match(/HTTP\/1\.1 200 OK\r\n/g)).toHaveLength(3)
      expect(whole).toContain('/b ')
      expect(operations).toBeGreaterThan(10)
    },
  )
}

for (const code of CODES) {
  fault(
    'F65',
    `${code} in any operation is one line in the log of the server where it is its fault, and else none`,
    async () => {
      const log = new RecordingLogger()
      const faults: string[] = []
      const kinds: string[] = []
      const pair = {
        client: { logger: false },
        server: { logger: log },
        transport: { bufferBytes: 100 },
      } as const
      await torture(
        (attempt) => {
          const { id, closed } = attempt.server
          void closed.then(({ reason, error }) => {
            kinds.push(reason.kind)
            const lines = log.records.filter(({ fields }) => fields['conn'] === id)
            const isFault = FAULT_KINDS.has(reason.kind) || error !== undefined
            const levels = lines.map(({ level }) => level).join()
            // What its handler lets through is told as well, where the end itself was clean.
            const isRight = isFault ? levels === 'info' : levels === '' || levels === 'info'
            if (!isRight) faults.push(`${reason.kind} after ${attempt.failed?.name}: ${levels}`)
          })
          return converse(attempt, [])
        },
        { codes: [code], pair },
      )
      expect(faults).toEqual([])
      expect(kinds.some((kind) => FAULT_KINDS.has(kind))).toBe(true)
    },
  )
}
