/** Rules about the end of a stream: clean, cut here, cut there. */
import assert from 'node:assert/strict'
import { unobserved } from '../concurrency/deferred.js'
import { loopTurns } from './fake-clock.js'
import type { ByteStream } from './byte-stream.js'
import {
  assertSameBytes,
  pattern,
  rejection,
  untilStill,
  watch,
  writePattern,
  type Rule,
  type RuleContext,
} from './rule.js'

const CUT_THERE = ['ERR_STANDPIPE_RESET', 'ERR_STANDPIPE_BROKEN'] as const

/** Ends both, as two well-behaved programs do. */
async function closeBoth({ a, b }: RuleContext): Promise<void> {
  await Promise.all([a.close(), b.close()])
}

/** Lets turns pass until the stream knows that it was cut, or there was time enough to know. */
async function untilCutIsSeen(stream: ByteStream): Promise<void> {
  for (let turn = 0; turn < 50 && !stream.signal.aborted; turn++) await loopTurns(1)
}

export const endingRules: readonly Rule[] = [
  {
    name: 'close() delivers what was written',
    async check({ a, b }) {
      a.writer.write(pattern(300_000))
      const closing = unobserved(a.close())
      assertSameBytes(await b.reader.readAll(), pattern(300_000))
      await Promise.all([b.close(), closing])
    },
  },
  {
    name: 'close() with unread input loses no answer',
    async check({ a, b }) {
      const answer = pattern(6_000)
      // The upload breaks off when its receiver has had enough of it: how is not this rule's business.
      const upload = watch(writePattern(b, 4 * 1024 * 1024))
      await a.reader.peek(1)
      a.writer.write(answer)
      const closing = unobserved(a.close())
      assertSameBytes(await b.reader.readExactly(6_000), answer)
      assert.equal(await b.reader.read(), null)
      await Promise.all([b.close(), closing])
      await upload.promise.then(ignore, ignore)
    },
  },
  {
    name: 'close() never rejects, and any number of calls end once',
    async check(context) {
      const { a, b } = context
      const first = [unobserved(a.close()), unobserved(a.close())]
      await closeBoth(context)
      await Promise.all([...first, a.close(), b.close()])
      assert.equal((await a.closed).reason.kind, 'closed-here')
    },
  },
  {
    name: 'close() never rejects after a cut, on either end',
    async check({ a, b }) {
      b.abort(new Error('cut'))
      await Promise.all([b.close(), b.close()])
      // Where there is no reset the peer sees an end of input; its close() comes to an end as well.
      await Promise.all([a.close(), a.close()])
      await Promise.all([a.closed, b.closed])
    },
  },
  {
    name: 'waitClosed() resolves after a clean end, for each who waits',
    async check(context) {
      const { a, b } = context
      const waits = [watch(a.writer.waitClosed()), watch(a.writer.waitClosed())]
      for (const wait of waits) await wait.staysPending('waitClosed() of an open stream')
      await closeBoth(context)
      for (const wait of waits) await wait.promise
      await b.writer.waitClosed()
    },
  },
  {
    name: 'a read that waits is rejected by close() and by abort()',
    async check({ a, b }) {
      const reads = [watch(a.reader.readLine()), watch(b.reader.readLine())]
      const closing = unobserved(a.close())
      const reason = new Error('enough')
      b.abort(reason)
      await reads[0]?.is('rejected', 2, 'the read of the end that was closed')
      await rejection(a.reader.readLine(), 'ERR_STANDPIPE_CLOSED')
      await reads[1]?.is('rejected', 2, 'the read of the end that was aborted')
      assert.equal(reads[1]?.error, reason)
      await closing
    },
  },
  {
    name: 'abort() ends the stream, and the peer learns of it',
    async check({ a, b }) {
      const atPeer = watch(b.reader.read())
      a.abort()
      const end = await a.closed
      assert.equal(end.reason.kind, 'aborted')
      await rejection(a.reader.read())
      await atPeer.promise.then(
        (value) => assert.equal(value, null, 'the peer read bytes that were never sent'),
        async () => rejection(atPeer.promise, ...CUT_THERE),
      )
    },
  },
  {
    name: 'abort() twice, or after close(), is once, and the first reason stays',
    async check(context) {
      const { a, b } = context
      const first = new Error('first')
      a.abort(first)
      a.abort(new Error('second'))
      assert.equal((await a.closed).reason.kind, 'aborted')
      assert.equal(a.signal.reason, first)
      await closeBoth(context)
      a.abort()
      b.abort()
      assert.equal((await a.closed).reason.kind, 'aborted')
    },
  },
  {
    name: 'data that arrived comes before the error, and then every read has that error',
    async check({ a, b }) {
      a.writer.write('one\ntwo\n')
      await b.reader.peek(8)
      a.abort()
      await untilCutIsSeen(b)
      assert.equal(await b.reader.readLine(), 'one')
      assert.equal(await b.reader.readLine(), 'two')
      const last = watch(b.reader.readLine())
      await last.promise.then(ignore, ignore)
      if (last.state === 'resolved') {
        // Without a reset the cut looks like an end.
        assert.equal(last.value, null)
        assert.equal(await b.reader.read(), null)
      } else {
        assert.equal(await rejection(b.reader.readLine(), ...CUT_THERE), last.error)
        assert.equal(await rejection(b.reader.read(), ...CUT_THERE), last.error)
        assert.equal(await rejection(b.reader.readExactly(1), ...CUT_THERE), last.error)
      }
    },
  },
  {
    name: 'the signal does not fire when the peer ends its half, nor at a clean end',
    async check(context) {
      const { a, b } = context
      a.writer.writeEof()
      assert.equal(await b.reader.read(), null)
      await untilStill()
      assert.equal(b.signal.aborted, false)
      await closeBoth(context)
      assert.deepEqual([a.signal.aborted, b.signal.aborted], [false, false])
    },
  },
  {
    name: 'the signal fires on our abort() at once, and on a reset by the peer',
    async check({ a, b }) {
      const reason = new Error('enough')
      const early = b.signal
      a.abort(reason)
      assert.equal(a.signal.aborted, true)
      assert.equal(a.signal.reason, reason)
      await untilCutIsSeen(b)
      const seen = watch(b.reader.read())
      await seen.promise.then(ignore, ignore)
      // Without a reset the peer saw an end, which is no reason to fire.
      assert.equal(early.aborted, seen.state === 'rejected')
      assert.equal(early, b.signal)
    },
  },
  {
    name: 'closed resolves with the reason and the counts',
    async check(context) {
      const { a, b } = context
      a.writer.write('12345')
      assertSameBytes(await b.reader.readExactly(5), Buffer.from('12345'))
      b.writer.write('123')
      assertSameBytes(await a.reader.readExactly(3), Buffer.from('123'))
      const closed = watch(a.closed)
      await closed.staysPending('closed')
      await closeBoth(context)
      const [endOfA, endOfB] = await Promise.all([closed.promise, b.closed])
      assert.equal(endOfA.reason.kind, 'closed-here')
      assert.deepEqual([endOfA.bytesWritten, endOfA.bytesRead], [5, 3])
      assert.deepEqual([endOfB.bytesWritten, endOfB.bytesRead], [3, 5])
    },
  },
  {
    name: 'a stream whose two halves have ended is closed, without close()',
    async check({ a, b }) {
      a.writer.writeEof()
      assert.equal(await b.reader.read(), null)
      b.writer.writeEof()
      assert.equal(await a.reader.read(), null)
      const ends = await Promise.all([a.closed, b.closed])
      assert.deepEqual(
        ends.map((end) => end.reason.kind),
        ['ended', 'ended'],
      )
    },
  },
]

function ignore(): void {}
