/** What passes a fault proxy is still a stream that keeps every promise, as long as no fault is in force. */
import { expect, test } from 'vitest'
import {
  BYTE_STREAM_RULES,
  checkByteStream,
  FaultProxy,
  type ByteStreamPair,
} from '../../src/testing/index.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'

guardAgainstLeaks()

test.each([1024 * 1024, 10_000])(
  'Connections with a fault proxy in between that keeps up to %i bytes keep every rule of a byte stream',
  { timeout: 60_000 },
  async (maxHeldBytes) => {
    const makePair = (): ByteStreamPair => {
      const pair = new FaultProxy({ maxHeldBytes }).connectionPair({ both: { logger: false } })
      return [pair.client, pair.server]
    }
    const results = await checkByteStream(makePair, makePair)
    expect(results.map(({ rule }) => rule)).toEqual(BYTE_STREAM_RULES)
    expect(results.filter(({ outcome }) => outcome !== 'kept')).toEqual([])
  },
)
