/** Writers on a fake transport, without a connection. */
import type { DeadlineLimits } from '../../src/protocol/deadlines.js'
import { CLIENT_DEADLINES, Deadlines } from '../../src/protocol/deadlines.js'
import { StreamWriter, type StreamWriterOptions } from '../../src/protocol/stream-writer.js'
import { FakeClock } from '../../src/testing/fake-clock.js'
import { FakeTransport } from './fake-transport.js'

export interface MadeWriter {
  readonly writer: StreamWriter
  readonly transport: FakeTransport
  readonly clock: FakeClock
  readonly deadlines: Deadlines
  /** What the writer told its connection. */
  readonly told: string[]
}

/** A writer whose transport holds nothing back; the deadlines are those of a client unless given. */
export function makeWriter(
  options: StreamWriterOptions = {},
  limits: Partial<DeadlineLimits> = {},
): MadeWriter {
  const transport = new FakeTransport()
  const clock = new FakeClock()
  const told: string[] = []
  const deadlines = new Deadlines({ ...CLIENT_DEADLINES, ...limits }, clock, {
    deadlinePassed(phase, afterMs) {
      if (phase === 'write-call') writer.callTimedOut()
      else told.push(`${phase} ${afterMs}`)
    },
  })
  const host = {
    close: () => {
      told.push('close')
      return Promise.resolve()
    },
    waitClosed: () => Promise.reject(new Error('it broke')),
    localEnds: () => told.push('localEnds'),
    allSent: () => told.push('allSent'),
    overflowed: (error: Error) => told.push(`overflowed: ${error.message}`),
  }
  const writer = new StreamWriter(transport, host, deadlines, options)
  return { writer, transport, clock, deadlines, told }
}
