/** Rules about bytes on their way in, and about the end of input. */
import assert from 'node:assert/strict'
import { loopTurns } from './fake-clock.js'
import {
  assertPatternArrives,
  assertSameBytes,
  pattern,
  rejection,
  thrown,
  untilStill,
  watch,
  type Rule,
} from './rule.js'

export const readingRules: readonly Rule[] = [
  {
    name: 'bytes arrive whole and in order',
    async check({ a, b }) {
      const sizes = [1, 2, 3, 1_000, 20_000, 7, 65_536, 1]
      let written = 0
      for (const size of sizes) {
        a.writer.write(pattern(size, written))
        written += size
      }
      await assertPatternArrives(b, written)
    },
  },
  {
    name: 'the writes of one turn keep their order, text and binary',
    async check({ a, b }) {
      a.writer.write('one ')
      a.writer.write(Buffer.from('two '))
      a.writer.write('drei ä ')
      a.writer.write(Buffer.alloc(20_000, '4'))
      a.writer.write(' five')
      const expected = Buffer.from(`one two drei ä ${'4'.repeat(20_000)} five`)
      assertSameBytes(await b.reader.readExactly(expected.length), expected)
    },
  },
  {
    name: 'reads do not depend on how the bytes were cut',
    async check({ a, b }) {
      const message = Buffer.from('line one\r\nline two\nzwölf;exact')
      for (const cut of [1, 2, 3, 5, message.length]) {
        for (let from = 0; from < message.length; from += cut) {
          a.writer.write(message.subarray(from, from + cut))
          await loopTurns(2)
        }
        assert.equal(await b.reader.readLine(), 'line one')
        assert.equal(await b.reader.readLine(), 'line two')
        assertSameBytes(await b.reader.readUntil(';'), Buffer.from('zwölf;'))
        assertSameBytes(await b.reader.readExactly(5), Buffer.from('exact'))
      }
    },
  },
  {
    name: 'a write of nothing is neither data nor an end',
    async check({ a, b }) {
      a.writer.write('')
      a.writer.write(Buffer.alloc(0))
      await a.writer.flush()
      const read = watch(b.reader.read())
      await read.staysPending('a read after a write of nothing')
      a.writer.write('x')
      assertSameBytes(await read.promise, Buffer.from('x'))
    },
  },
  {
    name: 'a read of 0 bytes gives 0 bytes at once, and is no end',
    async check({ a, b }) {
      const empty = watch(b.reader.read(0))
      await empty.is('resolved', 2, 'read(0)')
      assert.equal(empty.value?.length, 0)
      a.writer.write('x')
      assert.equal((await b.reader.readExactly(0)).length, 0)
      assertSameBytes(await b.reader.read(), Buffer.from('x'))
    },
  },
  {
    name: 'read(n) gives at least one byte and at most n',
    async check({ a, b }) {
      a.writer.write('abcde')
      await b.reader.peek(5)
      assertSameBytes(await b.reader.read(2), Buffer.from('ab'))
      assertSameBytes(await b.reader.read(100), Buffer.from('cde'))
    },
  },
  {
    name: 'what was written before the end arrives before it',
    async check({ a, b }) {
      a.writer.write(pattern(100_000))
      a.writer.writeEof()
      assertSameBytes(await b.reader.readAll(), pattern(100_000))
      assert.equal(await b.reader.read(), null)
    },
  },
  {
    name: 'the end of input is null, and stays null',
    async check({ a, b }) {
      assert.equal(b.reader.atEof, false)
      a.writer.writeEof()
      for (let round = 0; round < 2; round++) {
        assert.equal(await b.reader.read(), null)
        assert.equal(await b.reader.readLine(), null)
        assert.equal(await b.reader.readUntil('\n'), null)
        assert.equal(await b.reader.peek(1), null)
        assert.equal((await b.reader.readAll()).length, 0)
        assert.equal(b.reader.atEof, true)
      }
    },
  },
  {
    name: 'answers flow after the end of the question',
    async check({ a, b }) {
      a.writer.write('question\n')
      a.writer.writeEof()
      assert.equal(await b.reader.readLine(), 'question')
      assert.equal(await b.reader.readLine(), null)
      for (const answer of ['one', 'two']) {
        b.writer.write(`${answer}\n`)
        await b.writer.drain()
        assert.equal(await a.reader.readLine(), answer)
      }
      b.writer.writeEof()
      assert.equal(await a.reader.readLine(), null)
    },
  },
  {
    name: 'readExactly() that meets the end is an error with the bytes it had',
    async check({ a, b }) {
      a.writer.write('abcde')
      a.writer.writeEof()
      assertSameBytes(await b.reader.readExactly(2), Buffer.from('ab'))
      const error = await rejection(b.reader.readExactly(7), 'ERR_STANDPIPE_INCOMPLETE_READ')
      assertSameBytes(error.partial ?? null, Buffer.from('cde'))
      assert.equal(error.expected, 7)
      assert.equal(await b.reader.read(), null)
    },
  },
  {
    name: 'readExactly() at the end is an error, with 0 bytes too',
    async check({ a, b }) {
      a.writer.writeEof()
      const error = await rejection(b.reader.readExactly(1), 'ERR_STANDPIPE_INCOMPLETE_READ')
      assert.equal(error.partial?.length, 0)
    },
  },
  {
    name: 'readUntil() keeps what follows the separator',
    async check({ a, b }) {
      a.writer.write('a::b:c::')
      assertSameBytes(await b.reader.readUntil('::'), Buffer.from('a::'))
      assertSameBytes(await b.reader.readUntil('::'), Buffer.from('b:c::'))
      a.writer.write('rest:')
      await b.reader.peek(5)
      const read = watch(b.reader.readUntil('::'))
      await untilStill()
      a.writer.write(':!')
      assertSameBytes(await read.promise, Buffer.from('rest::'))
      assertSameBytes(await b.reader.readExactly(1), Buffer.from('!'))
    },
  },
  {
    name: 'readUntil() past the limit is an error that keeps the bytes',
    async check({ a, b, limit }) {
      const tooLong = pattern(limit + 10).map((byte) => (byte === 10 ? 11 : byte))
      a.writer.write(tooLong)
      const notFound = await rejection(b.reader.readUntil('\n'), 'ERR_STANDPIPE_LIMIT_OVERRUN')
      assert.equal(notFound.found, false)
      a.writer.write('\n')
      await b.reader.peek(limit + 11)
      const found = await rejection(b.reader.readUntil('\n'), 'ERR_STANDPIPE_LIMIT_OVERRUN')
      assert.equal(found.found, true)
      assertSameBytes(await b.reader.readExactly(limit + 10), tooLong)
      assertSameBytes(await b.reader.readUntil('\n'), Buffer.from('\n'))
    },
  },
  {
    name: 'peek() consumes nothing',
    async check({ a, b }) {
      a.writer.write('abc')
      assertSameBytes(await b.reader.peek(2), Buffer.from('ab'))
      assertSameBytes(await b.reader.peek(3), Buffer.from('abc'))
      assert.equal(b.reader.bufferedBytes, 3)
      a.writer.writeEof()
      assertSameBytes(await b.reader.peek(10), Buffer.from('abc'))
      assertSameBytes(await b.reader.readAll(), Buffer.from('abc'))
    },
  },
  {
    name: 'readAll() past its cap is an error that keeps the bytes',
    async check({ a, b }) {
      a.writer.write('0123456789')
      await rejection(b.reader.readAll({ maxBytes: 9 }), 'ERR_STANDPIPE_LIMIT_OVERRUN')
      a.writer.writeEof()
      assertSameBytes(await b.reader.readAll({ maxBytes: 10 }), Buffer.from('0123456789'))
    },
  },
  {
    name: 'the try… forms give undefined where a read would wait, and consume nothing',
    async check({ a, b }) {
      const { reader } = b
      assert.equal(reader.tryRead(), undefined)
      a.writer.write('part')
      await reader.peek(4)
      assert.equal(reader.tryReadLine(), undefined)
      assert.equal(reader.tryReadUntil(';'), undefined)
      assert.equal(reader.tryReadExactly(5), undefined)
      a.writer.write(' one\n2;exact rest')
      await reader.peek(21)
      assert.equal(reader.tryReadLine(), 'part one')
      assertSameBytes(reader.tryReadUntil(';') ?? null, Buffer.from('2;'))
      assertSameBytes(reader.tryReadExactly(5) ?? null, Buffer.from('exact'))
      assertSameBytes(reader.tryRead(2) ?? null, Buffer.from(' r'))
      assertSameBytes(reader.tryRead() ?? null, Buffer.from('est'))
      assert.equal(reader.tryReadLine(), undefined)
    },
  },
  {
    name: 'the try… forms give null at the end',
    async check({ a, b }) {
      const { reader } = b
      a.writer.writeEof()
      assert.equal(await reader.read(), null)
      assert.equal(reader.tryRead(), null)
      assert.equal(reader.tryReadLine(), null)
      assert.equal(reader.tryReadUntil(';'), null)
      thrown(() => reader.tryReadExactly(1), 'ERR_STANDPIPE_INCOMPLETE_READ')
    },
  },
]
