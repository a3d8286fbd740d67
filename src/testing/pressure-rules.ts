/** Rules about a peer that does not read: what waits, what is refused, and who is told. */
import assert from 'node:assert/strict'
import { unobserved } from '../concurrency/deferred.js'
import {
  assertPatternArrives,
  assertSameBytes,
  clog,
  listenerCount,
  pattern,
  rejection,
  thrown,
  watch,
  type Rule,
} from './rule.js'

const PIECE_BYTES = 32 * 1024

export const pressureRules: readonly Rule[] = [
  {
    name: 'drain() waits while the peer does not read, and resolves when it does',
    needsClogging: true,
    async check({ a, b }) {
      const { written, drain } = await clog(a)
      await drain.staysPending('drain()')
      await Promise.all([assertPatternArrives(b, written), drain.promise])
    },
  },
  {
    name: 'every drain() that waits is released, not only the first',
    needsClogging: true,
    async check({ a, b }) {
      const { written, drain } = await clog(a)
      const others = [1, 2, 3].map(() => unobserved(a.writer.drain()))
      await Promise.all([assertPatternArrives(b, written), drain.promise, ...others])
    },
  },
  {
    name: 'flush() waits for the kernel',
    needsClogging: true,
    async check({ a, b }) {
      const { written, drain } = await clog(a)
      const flushed = watch(a.writer.flush())
      await flushed.staysPending('flush()')
      await Promise.all([assertPatternArrives(b, written), flushed.promise, drain.promise])
      assert.equal(a.writer.bufferedBytes, 0)
    },
  },
  {
    name: 'small binary data that waits is a copy',
    needsClogging: true,
    async check({ a, b }) {
      const { written, drain } = await clog(a)
      const bytes = Buffer.from('before')
      a.writer.write(bytes)
      await drain.staysPending('drain()')
      bytes.fill('!')
      await assertPatternArrives(b, written)
      assertSameBytes(await b.reader.readExactly(6), Buffer.from('before'))
    },
  },
  {
    name: 'write() over the cap throws, and what was taken arrives whole',
    needsClogging: true,
    async check({ a, b, maxBufferedBytes }) {
      let { written } = await clog(a)
      const most = maxBufferedBytes + PIECE_BYTES
      const overCap = (): void => {
        for (let taken = 0; taken <= most; taken += PIECE_BYTES) {
          assert.ok(
            a.writer.bufferedBytes <= most,
            `${a.writer.bufferedBytes} bytes are kept, the cap is ${maxBufferedBytes}`,
          )
          a.writer.write(pattern(PIECE_BYTES, written))
          written += PIECE_BYTES
        }
      }
      thrown(overCap, 'ERR_STANDPIPE_SLOW_CONSUMER')
      assert.ok(a.writer.bufferedBytes >= maxBufferedBytes, 'it throws before the cap is reached')
      const drain = watch(a.writer.drain())
      await assertPatternArrives(b, written)
      await drain.promise
      a.writer.write('more')
      assertSameBytes(await b.reader.readExactly(4), Buffer.from('more'))
    },
  },
  {
    name: 'an aborted drain() leaves the others waiting, and the bytes on their way',
    needsClogging: true,
    async check({ a, b }) {
      const { written, drain } = await clog(a)
      const controller = new AbortController()
      const { signal } = controller
      const aborted = [watch(a.writer.drain({ signal })), watch(a.writer.flush({ signal }))]
      const reason = new Error('changed my mind')
      controller.abort(reason)
      for (const wait of aborted) {
        await wait.is('rejected', 2, 'the aborted wait')
        assert.equal(wait.error, reason)
      }
      assert.equal(listenerCount(signal), 0)
      await drain.staysPending('the other drain()')
      await Promise.all([assertPatternArrives(b, written), drain.promise])
    },
  },
  {
    name: 'a drain() out of time is a TimeoutError, and the bytes stay on their way',
    needsClogging: true,
    async check({ a, b }) {
      const { written, drain } = await clog(a)
      await rejection(a.writer.drain({ timeoutMs: 5 }), 'ERR_STANDPIPE_TIMED_OUT')
      await rejection(a.writer.flush({ timeoutMs: 5 }), 'ERR_STANDPIPE_TIMED_OUT')
      assert.equal(drain.state, 'pending')
      await Promise.all([assertPatternArrives(b, written), drain.promise])
    },
  },
  {
    name: 'abort() rejects a drain() that waits, within a turn',
    needsClogging: true,
    async check({ a }) {
      const { drain } = await clog(a)
      const flush = watch(a.writer.flush())
      a.abort()
      await drain.is('rejected', 1, 'drain()')
      await flush.is('rejected', 1, 'flush()')
      await rejection(a.writer.drain())
    },
  },
  {
    name: 'close() rejects a drain() that waits, within a turn',
    needsClogging: true,
    async check({ a, b }) {
      const { written, drain } = await clog(a)
      const closing = unobserved(a.close())
      await drain.is('rejected', 1, 'drain()')
      await assertPatternArrives(b, written)
      await Promise.all([b.close(), closing])
    },
  },
  {
    name: 'a drain() that waits is rejected when the peer is lost',
    needsClogging: true,
    async check({ a, b }) {
      const { drain } = await clog(a)
      b.abort()
      await rejection(drain.promise, 'ERR_STANDPIPE_RESET', 'ERR_STANDPIPE_BROKEN')
      await rejection(a.writer.drain(), 'ERR_STANDPIPE_RESET', 'ERR_STANDPIPE_BROKEN')
    },
  },
  {
    name: 'close() delivers what waits, to a peer that reads late',
    needsClogging: true,
    async check({ a, b }) {
      const { written } = await clog(a)
      a.writer.write('the end')
      const closing = unobserved(a.close())
      await watch(closing).staysPending('close() of a stream that is clogged')
      await assertPatternArrives(b, written)
      assertSameBytes(await b.reader.readAll(), Buffer.from('the end'))
      await Promise.all([b.close(), closing])
    },
  },
]
