/** Rules about lines: their ends, their text, their limit. */
import assert from 'node:assert/strict'
import { loopTurns } from './fake-clock.js'
import { assertSameBytes, rejection, untilStill, watch, type Rule } from './rule.js'

export const lineRules: readonly Rule[] = [
  {
    name: 'a CRLF that is cut in two ends one line',
    async check({ a, b }) {
      a.writer.write('cut\r')
      const line = watch(b.reader.readLine())
      await line.staysPending('readLine() of a line that ends in CR so far')
      a.writer.write('\n\nlone \r stays\n')
      assert.equal(await line.promise, 'cut')
      assert.equal(await b.reader.readLine(), '')
      assert.equal(await b.reader.readLine(), 'lone \r stays')
    },
  },
  {
    name: 'a character that is cut in two is one character',
    async check({ a, b }) {
      const text = 'ä€😀\ufeff'
      for (const byte of Buffer.from(`${text}\n`)) {
        a.writer.write(Uint8Array.of(byte))
        await loopTurns(2)
      }
      assert.equal(await b.reader.readLine(), text)
    },
  },
  {
    name: 'a line as long as the limit is a line',
    async check({ a, b, limit }) {
      const longest = 'x'.repeat(limit)
      a.writer.write(`${longest}\r\nnext\n`)
      assert.equal(await b.reader.readLine(), longest)
      assert.equal(await b.reader.readLine(), 'next')
    },
  },
  {
    name: 'an over-long line is one error, and the next line is whole',
    async check({ a, b, limit }) {
      const tooLong = 'x'.repeat(limit + 1)
      a.writer.write(`${tooLong}\nnext\n`)
      await rejection(b.reader.readLine(), 'ERR_STANDPIPE_LIMIT_OVERRUN')
      assert.equal(await b.reader.readLine(), 'next')

      // The same where the end of the line comes only after the error, and in pieces.
      a.writer.write(tooLong)
      await rejection(b.reader.readLine(), 'ERR_STANDPIPE_LIMIT_OVERRUN')
      const line = watch(b.reader.readLine())
      a.writer.write('tail of the long line')
      await untilStill()
      a.writer.write(' and its end\nin step\n')
      assert.equal(await line.promise, 'in step')
    },
  },
  {
    name: 'a last line without its end is an error with its bytes, not a line',
    async check({ a, b }) {
      a.writer.write('whole\nrm -rf /tmp')
      a.writer.writeEof()
      assert.equal(await b.reader.readLine(), 'whole')
      const error = await rejection(b.reader.readLine(), 'ERR_STANDPIPE_INCOMPLETE_READ')
      assertSameBytes(error.partial ?? null, Buffer.from('rm -rf /tmp'))
      assert.equal(await b.reader.readLine(), null)
    },
  },
  {
    name: 'lines() raises for a last line without its end, as readLine() does',
    async check({ a, b }) {
      a.writer.write('whole\npart')
      a.writer.writeEof()
      const lines: string[] = []
      const walk = async (): Promise<void> => {
        for await (const line of b.reader.lines()) lines.push(line)
      }
      await rejection(walk(), 'ERR_STANDPIPE_INCOMPLETE_READ')
      assert.deepEqual(lines, ['whole'])
    },
  },
  {
    name: 'a line that is not valid UTF-8 is one error, and the next line is whole',
    async check({ a, b }) {
      a.writer.write(Buffer.from('good\nb\xffd\nnext\n', 'latin1'))
      assert.equal(await b.reader.readLine(), 'good')
      await rejection(b.reader.readLine(), 'ERR_STANDPIPE_DECODE')
      assert.equal(await b.reader.readLine(), 'next')
    },
  },
  {
    name: 'lines() and chunks() end at the end of input',
    async check({ a, b }) {
      a.writer.write('one\ntwo\n')
      a.writer.writeEof()
      const lines: string[] = []
      for await (const line of b.reader.lines()) {
        lines.push(line)
        assert.ok(lines.length <= 2, 'a line came after the last one')
      }
      assert.deepEqual(lines, ['one', 'two'])
      for await (const chunk of b.reader.chunks()) assert.fail(`${chunk.length} bytes too many`)
    },
  },
  {
    name: 'leaving lines() leaves the stream open and loses nothing',
    async check({ a, b }) {
      a.writer.write('one\ntwo\n')
      for await (const line of b.reader.lines()) {
        assert.equal(line, 'one')
        break
      }
      assert.equal(await b.reader.readLine(), 'two')
      b.writer.write('still here\n')
      assert.equal(await a.reader.readLine(), 'still here')
      a.writer.write('me too\n')
      assert.equal(await b.reader.readLine(), 'me too')
    },
  },
]
