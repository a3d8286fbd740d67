/** What each kind of end is to whoever waits, logs and counts. */
import { expect, test } from 'vitest'
import {
  isBroken,
  isFault,
  isLossy,
  type CloseInfo,
  type CloseKind,
} from '../../src/protocol/close-info.js'

/** Whether it is broken, a fault, and, with an error beside it, a loss. */
const TABLE: Readonly<Record<CloseKind, readonly [boolean, boolean, boolean]>> = {
  ended: [false, false, true],
  'closed-here': [false, false, true],
  'server-stopped': [false, false, true],
  aborted: [false, false, false],
  'not-admitted': [false, false, false],
  reset: [true, true, false],
  'timed-out': [true, true, false],
  'connect-refused': [true, true, false],
  failed: [true, true, false],
  'handler-failed': [false, true, false],
}

test.each(Object.entries(TABLE) as [CloseKind, readonly boolean[]][])(
  '%s is broken, a fault, or a loss: %j',
  (kind, row) => {
    const reason = { kind }
    const info: CloseInfo = { reason, bytesRead: 0, bytesWritten: 0, durationMs: 0 }
    expect([isBroken(reason), isFault(reason), isLossy({ ...info, error: 'lost' })]).toEqual(row)
    expect(isLossy(info)).toBe(false)
  },
)
