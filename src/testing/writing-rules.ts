/** Rules about bytes on their way out, while the peer keeps up. */
import assert from 'node:assert/strict'
import { unobserved } from '../concurrency/deferred.js'
import { loopTurns } from './fake-clock.js'
import {
  assertPatternArrives,
  assertSameBytes,
  thrown,
  watch,
  writePattern,
  type Rule,
} from './rule.js'

const MIB = 1024 * 1024
/** Arbitrary; a socket of the same process needs about five. */
const TURNS_TO_FIND_OUT = 200

export const writingRules: readonly Rule[] = [
  {
    name: 'write() copies small binary data',
    async check({ a, b }) {
      const bytes = Buffer.from('before')
      a.writer.write(bytes)
      bytes.fill('!')
      assertSameBytes(await b.reader.readExactly(6), Buffer.from('before'))
    },
  },
  {
    name: 'drain() under the mark resolves at once',
    async check({ a }) {
      for (let round = 0; round < 10; round++) {
        a.writer.write('x')
        await watch(a.writer.drain()).is('resolved', 2, 'drain() with a few bytes')
      }
    },
  },
  {
    name: 'flush() means that nothing is left here',
    async check({ a, b }) {
      a.writer.write('x'.repeat(10_000))
      assert.equal(a.writer.bufferedBytes, 10_000)
      await a.writer.flush()
      assert.equal(a.writer.bufferedBytes, 0)
      await a.writer.flush()
      assert.equal((await b.reader.readExactly(10_000)).length, 10_000)
    },
  },
  {
    name: 'bufferedBytes counts bytes, not characters',
    async check({ a }) {
      a.writer.write('ä€😀')
      assert.equal(a.writer.bufferedBytes, 9)
      a.writer.write(Buffer.alloc(3))
      assert.equal(a.writer.bufferedBytes, 12)
      await a.writer.flush()
    },
  },
  {
    name: 'write() after writeEof() throws, and a second writeEof() does nothing',
    async check({ a, b }) {
      a.writer.write('last\n')
      assert.equal(a.writer.isClosing, false)
      a.writer.writeEof()
      a.writer.writeEof()
      thrown(() => a.writer.write('more'), 'ERR_STANDPIPE_CLOSED')
      assert.equal(a.writer.isClosing, true)
      assert.equal((await b.reader.readAll()).toString(), 'last\n')
    },
  },
  {
    name: 'write() after close() throws',
    async check({ a, b }) {
      const closing = unobserved(a.close())
      thrown(() => a.writer.write('more'), 'ERR_STANDPIPE_CLOSED')
      assert.equal(await b.reader.read(), null)
      await Promise.all([b.close(), closing])
      thrown(() => a.writer.write('more'), 'ERR_STANDPIPE_CLOSED')
    },
  },
  {
    name: 'write() to a peer that is lost throws a typed error, and never raises an event',
    async check({ a, b }) {
      b.abort()
      // Where there is no reset, only a write finds out.
      for (let turn = 0; turn < TURNS_TO_FIND_OUT && !a.writer.isClosing; turn++) {
        await loopTurns(1)
        if (!a.writer.isClosing) a.writer.write('anyone there?')
      }
      thrown(
        () => a.writer.write('more'),
        'ERR_STANDPIPE_RESET',
        'ERR_STANDPIPE_BROKEN',
        'ERR_STANDPIPE_CLOSED',
      )
      await a.closed
    },
  },
  {
    name: 'large transfers both ways at once come to their end',
    async check({ a, b }) {
      await Promise.all([
        writePattern(a, MIB),
        writePattern(b, MIB),
        assertPatternArrives(a, MIB),
        assertPatternArrives(b, MIB),
      ])
    },
  },
  {
    name: 'one write of any size is taken, and arrives whole',
    async check({ a, b, maxBufferedBytes }) {
      const size = maxBufferedBytes + 100_000
      const whole = Buffer.alloc(size, 'abcdefg')
      a.writer.write(whole)
      assertSameBytes(await b.reader.readExactly(size), whole)
    },
  },
]
