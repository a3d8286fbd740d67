/** Rules about calls that wait: one at a time, aborted, timed out. */
import assert from 'node:assert/strict'
import { unobserved } from '../concurrency/deferred.js'
import type { ByteStream } from './byte-stream.js'
import type { WaitOptions } from '../concurrency/abort.js'
import { assertSameBytes, listenerCount, rejection, untilStill, watch, type Rule } from './rule.js'

/** Every read that waits for more, as a line that has begun and lacks its end. */
const waitingReads: readonly ((stream: ByteStream, options: WaitOptions) => Promise<unknown>)[] = [
  async (stream, options) => stream.reader.readLine(options),
  async (stream, options) => stream.reader.readUntil(';', options),
  async (stream, options) => stream.reader.readExactly(100, options),
  async (stream, options) => stream.reader.readAll(options),
  async (stream, options) => stream.reader.peek(100, options),
]

export const waitingRules: readonly Rule[] = [
  {
    name: 'a second read at the same time is busy, and the first is unharmed',
    async check({ a, b }) {
      const first = watch(b.reader.readLine())
      await rejection(b.reader.readLine(), 'ERR_STANDPIPE_BUSY')
      await rejection(b.reader.read(), 'ERR_STANDPIPE_BUSY')
      await first.staysPending('the first read')
      a.writer.write('one\ntwo\n')
      assert.equal(await first.promise, 'one')
      assert.equal(await b.reader.readLine(), 'two')
    },
  },
  {
    name: 'an aborted read consumes nothing, and the next one works',
    async check({ a, b }) {
      a.writer.write('begun')
      await b.reader.peek(5)
      for (const read of waitingReads) {
        const controller = new AbortController()
        const reading = watch(read(b, { signal: controller.signal }))
        await untilStill()
        const reason = new Error('changed my mind')
        controller.abort(reason)
        await reading.is('rejected', 2, 'the aborted read')
        assert.equal(reading.error, reason)
      }
      a.writer.write(' and ended\n')
      assert.equal(await b.reader.readLine(), 'begun and ended')
    },
  },
  {
    name: 'a signal that is aborted already rejects before anything happens',
    async check({ a, b }) {
      a.writer.write('one\n')
      await b.reader.peek(4)
      const reason = new Error('too late')
      const signal = AbortSignal.abort(reason)
      const { reader } = b
      const calls: (() => Promise<unknown>)[] = [
        async () => reader.read(1, { signal }),
        async () => reader.readLine({ signal }),
        async () => reader.readUntil('\n', { signal }),
        async () => reader.readExactly(1, { signal }),
        async () => reader.peek(1, { signal }),
        async () => a.writer.drain({ signal }),
        async () => a.writer.flush({ signal }),
      ]
      for (const call of calls) assert.equal(await rejection(call()), reason)
      assert.equal(listenerCount(signal), 0)
      assert.equal(await reader.readLine(), 'one')
    },
  },
  {
    name: 'a read out of time is a TimeoutError and consumes nothing',
    async check({ a, b }) {
      a.writer.write('slow')
      await b.reader.peek(4)
      for (const read of waitingReads) {
        await rejection(read(b, { timeoutMs: 5 }), 'ERR_STANDPIPE_TIMED_OUT')
      }
      a.writer.write('ly\n')
      assert.equal(await b.reader.readLine({ timeoutMs: 60_000 }), 'slowly')
    },
  },
  {
    name: 'a signal that many calls share is left without a listener',
    async check({ a, b }) {
      const controller = new AbortController()
      const { signal } = controller
      for (let round = 0; round < 50; round++) {
        const line = unobserved(b.reader.readLine({ signal }))
        a.writer.write(`${round}\n`)
        await a.writer.drain({ signal })
        await a.writer.flush({ signal })
        assert.equal(await line, String(round))
      }
      assert.equal(listenerCount(signal), 0, 'after calls that succeeded')

      const last = watch(b.reader.readLine({ signal }))
      a.writer.writeEof()
      assert.equal(await last.promise, null)
      assert.equal(listenerCount(signal), 0, 'after the end of input')

      const cut = watch(a.reader.readLine({ signal }))
      a.abort()
      await cut.is('rejected', 2, 'a read of the aborted end')
      assert.equal(listenerCount(signal), 0, 'after an abort of the stream')
    },
  },
  {
    name: 'a read that is not yet answered gets what comes later',
    async check({ a, b }) {
      const reading = watch(b.reader.readExactly(10))
      for (const half of ['01234', '56789']) {
        await reading.staysPending('readExactly(10)')
        a.writer.write(half)
      }
      assertSameBytes(await reading.promise, Buffer.from('0123456789'))
    },
  },
]
