import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import {
  BrokenError,
  BusyError,
  ClosedError,
  DecodeError,
  IncompleteReadError,
  LimitOverrunError,
  ProtocolError,
  TimeoutError,
} from '../../src/errors.js'
import type { Framing } from '../../src/protocol/framing.js'
import { StreamReader } from '../../src/protocol/stream-reader.js'
import { FakeClock } from '../../src/testing/fake-clock.js'
import { attachHost, endedReader, fedReader, feed } from '../support/fed-reader.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { rejection, watch } from '../support/settled.js'

guardAgainstLeaks()

/** A frame of one byte that says how many follow. */
const COUNTED: Framing<string> = {
  decode(source) {
    const count = source.byteAt(0)
    if (count === 0xff) throw new ProtocolError('the peer sent 0xff')
    if (source.size < 1 + count) return undefined
    source.skip(1)
    return source.take(count).toString()
  },
  encode: (value) => Buffer.from([value.length, ...Buffer.from(value)]),
}

async function collect<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const one of iterable) all.push(one)
  return all
}

/** Each way to read, as a call that waits when nothing is there. */
const WAITING_READS: [string, (reader: StreamReader, options?: object) => Promise<unknown>][] = [
  ['read', (reader, options) => reader.read(undefined, options)],
  ['readExactly', (reader, options) => reader.readExactly(5, options)],
  ['readUntil', (reader, options) => reader.readUntil('\n', options)],
  ['readLine', (reader, options) => reader.readLine(options)],
  ['readLine as bytes', (reader, options) => reader.readLine({ encoding: 'buffer', ...options })],
  ['readAll', (reader, options) => reader.readAll(options)],
  ['peek', (reader, options) => reader.peek(5, options)],
  ['readFrame', (reader, options) => reader.readFrame(COUNTED, options)],
  ['lines().next', (reader, options) => reader.lines(options).next()],
  ['lineBatches().next', (reader, options) => reader.lineBatches(options).next()],
  ['chunks().next', (reader, options) => reader.chunks(options).next()],
  ['frames().next', (reader, options) => reader.frames(COUNTED, options).next()],
]

const TRYING_READS: [string, (reader: StreamReader) => unknown][] = [
  ['tryRead', (reader) => reader.tryRead()],
  ['tryReadExactly', (reader) => reader.tryReadExactly(5)],
  ['tryReadUntil', (reader) => reader.tryReadUntil('\n')],
  ['tryReadLine', (reader) => reader.tryReadLine()],
  ['tryReadFrame', (reader) => reader.tryReadFrame(COUNTED)],
]

describe('new StreamReader()', () => {
  test.each([0, -1, 1.5, Number.NaN, Infinity])('refuses a limit of %s', (limit) => {
    expect(() => new StreamReader({ limit })).toThrow(
      new RangeError(`limit must be a whole number of bytes above 0, not ${limit}`),
    )
  })

  test.each([
    [{ partial: 'maybe' }, 'partial must be one of error, yield, drop, not "maybe"'],
    [{ invalidText: true }, 'invalidText must be one of error, replace, not true'],
  ])('refuses %o', (options, message) => {
    expect(() => new StreamReader(options as object)).toThrow(new TypeError(message))
  })
})

describe('StreamReader.read()', () => {
  test('gives what is at hand', async () => {
    const reader = fedReader(['hello'])
    expect(await reader.read()).toEqual(Buffer.from('hello'))
    expect(reader.bufferedBytes).toBe(0)
  })

  test('gives at most maxBytes', async () => {
    const reader = fedReader(['hello'])
    expect(await reader.read(2)).toEqual(Buffer.from('he'))
    expect(await reader.read(9)).toEqual(Buffer.from('llo'))
  })

  test('waits for at least one byte', async () => {
    const reader = new StreamReader()
    const read = watch(reader.read())
    await Promise.resolve()
    expect(read.state).toBe('pending')
    feed(reader, 'x')
    expect(await read.promise).toEqual(Buffer.from('x'))
  })

  test('copies nothing that lies in one received block', async () => {
    const block = Buffer.from('hello')
    const reader = fedReader([block])
    const bytes = (await reader.read()) as Buffer
    block[0] = 74
    expect(bytes.toString()).toBe('Jello')
  })

  test('of 0 bytes gives an empty Buffer at once, at the end of input too', async () => {
    expect(await new StreamReader().read(0)).toEqual(Buffer.alloc(0))
    expect(await endedReader([]).read(0)).toEqual(Buffer.alloc(0))
  })

  test('gives null at the end of input, again and again', async () => {
    const reader = endedReader(['x'])
    expect(await reader.read()).toEqual(Buffer.from('x'))
    expect(await reader.read()).toBeNull()
    expect(await reader.read()).toBeNull()
    expect(reader.endedBy).toBe('peer')
  })

  test.each([-1, 0.5, Number.NaN])('refuses a size of %s', async (size) => {
    const error = new RangeError(`a size must be a whole number of bytes, 0 or above, not ${size}`)
    const reader = fedReader(['x'])
    await expect(reader.read(size)).rejects.toThrow(error)
    await expect(reader.readExactly(size)).rejects.toThrow(error)
    await expect(reader.peek(size)).rejects.toThrow(error)
    await expect(reader.readAll({ maxBytes: size })).rejects.toThrow(error)
    expect(() => reader.tryRead(size)).toThrow(error)
    expect(() => reader.tryReadExactly(size)).toThrow(error)
    expect(reader.bufferedBytes).toBe(1)
  })
})

describe('StreamReader.tryRead()', () => {
  test('gives undefined where read() would wait, then bytes, then null', () => {
    const reader = new StreamReader()
    expect(reader.tryRead()).toBeUndefined()
    feed(reader, 'ab')
    expect(reader.tryRead(1)).toEqual(Buffer.from('a'))
    expect(reader.tryRead()).toEqual(Buffer.from('b'))
    reader.feedEof()
    expect(reader.tryRead()).toBeNull()
  })
})

describe('StreamReader.readExactly()', () => {
  test('gives exactly as many bytes, over several chunks', async () => {
    const reader = fedReader(['he', 'llo', ' world'])
    expect(await reader.readExactly(7)).toEqual(Buffer.from('hello w'))
    expect(await reader.readExactly(4)).toEqual(Buffer.from('orld'))
  })

  test('waits until all have come', async () => {
    const reader = fedReader(['he'])
    const read = watch(reader.readExactly(5))
    feed(reader, 'l')
    await Promise.resolve()
    expect(read.state).toBe('pending')
    feed(reader, 'lo!')
    expect(await read.promise).toEqual(Buffer.from('hello'))
    expect(reader.bufferedBytes).toBe(1)
  })

  test('of 0 bytes gives an empty Buffer at once', async () => {
    expect(await endedReader([]).readExactly(0)).toEqual(Buffer.alloc(0))
  })

  test('waits for more than the limit and the mark', async () => {
    const reader = new StreamReader({ limit: 4 })
    const host = attachHost(reader)
    const read = reader.readExactly(100)
    for (let i = 0; i < 10; i++) feed(reader, '0123456789')
    expect(await read).toHaveLength(100)
    expect(host.calls).toEqual([])
  })
})

describe('StreamReader.tryReadExactly()', () => {
  test('gives undefined while less is at hand, and throws at the end of input', () => {
    const reader = fedReader(['ab'])
    expect(reader.tryReadExactly(3)).toBeUndefined()
    expect(reader.tryReadExactly(1)).toEqual(Buffer.from('a'))
    reader.feedEof()
    expect(() => reader.tryReadExactly(3)).toThrow(IncompleteReadError)
    expect(() => reader.tryReadExactly(3)).toThrow('the input ended after 0 bytes of 3 bytes')
  })
})

describe('StreamReader.readUntil()', () => {
  test('gives the bytes with the separator', async () => {
    const reader = fedReader(['key=', 'value;rest'])
    expect(await reader.readUntil(';')).toEqual(Buffer.from('key=value;'))
    expect(reader.bufferedBytes).toBe(4)
  })

  test('takes a separator of bytes, and one that is cut over chunks', async () => {
    const reader = fedReader(['GET /\r\n\r'])
    const read = reader.readUntil(Buffer.from('\r\n\r\n'))
    feed(reader, '\nbody')
    expect(await read).toEqual(Buffer.from('GET /\r\n\r\n'))
  })

  test('takes the separator of several whose match ends first', async () => {
    const reader = fedReader(['a--b\r\nc'])
    expect(await reader.readUntil(['\r\n', '--', 'b\r\nc'])).toEqual(Buffer.from('a--'))
    expect(await reader.readUntil(['c', '\r\nc', '\n'])).toEqual(Buffer.from('b\r\n'))
    expect(await reader.readUntil(['abc', 'c'])).toEqual(Buffer.from('c'))
  })

  test('gives null at the end of input', async () => {
    const reader = endedReader(['a;'])
    expect(await reader.readUntil(';')).toEqual(Buffer.from('a;'))
    expect(await reader.readUntil(';')).toBeNull()
  })

  test('is an IncompleteReadError when the input ends before a separator; the bytes are consumed', async () => {
    const reader = endedReader(['abc'])
    const error = await rejection(reader.readUntil(';'))
    expect(error).toBeInstanceOf(IncompleteReadError)
    expect(error).toMatchObject({ partial: Buffer.from('abc'), expected: undefined })
    expect(await reader.readUntil(';')).toBeNull()
  })

  test('over the limit keeps the bytes and says whether the separator was seen', async () => {
    const reader = fedReader(['123456'], { limit: 4 })
    const error = await rejection(reader.readUntil(';'))
    expect(error).toBeInstanceOf(LimitOverrunError)
    expect(error).toMatchObject({ limit: 4, consumed: 6, found: false })
    feed(reader, ';')
    const again = (await rejection(reader.readUntil(';'))) as LimitOverrunError
    expect(again).toMatchObject({ limit: 4, consumed: 6, found: true })
    expect(await reader.readExactly(again.consumed + 1)).toEqual(Buffer.from('123456;'))
  })

  test('over the limit counts neither the separator nor what may be its beginning', async () => {
    const reader = fedReader(['1234\r\n\r'], { limit: 4 })
    const read = watch(reader.readUntil('\r\n\r\n'))
    await Promise.resolve()
    expect(read.state).toBe('pending')
    feed(reader, '\n')
    expect(await read.promise).toEqual(Buffer.from('1234\r\n\r\n'))
  })

  test.each([[''], [[]], [['a', '']], [Buffer.alloc(0)]])(
    'refuses %o as a separator',
    async (none) => {
      const error = new RangeError('a separator must have at least one byte')
      await expect(new StreamReader().readUntil(none)).rejects.toThrow(error)
      expect(() => new StreamReader().tryReadUntil(none)).toThrow(error)
    },
  )
})

describe('StreamReader.tryReadUntil()', () => {
  test('gives undefined where readUntil() would wait, then bytes, then null', () => {
    const reader = fedReader(['ab'])
    expect(reader.tryReadUntil(';')).toBeUndefined()
    feed(reader, ';')
    expect(reader.tryReadUntil([';', ','])).toEqual(Buffer.from('ab;'))
    reader.feedEof()
    expect(reader.tryReadUntil(';')).toBeNull()
  })
})

describe('StreamReader.readLine()', () => {
  test('gives a line without its LF or CRLF', async () => {
    const reader = fedReader(['one\ntwo\r\n\nlone \r stays\n'])
    expect(await reader.readLine()).toBe('one')
    expect(await reader.readLine()).toBe('two')
    expect(await reader.readLine()).toBe('')
    expect(await reader.readLine()).toBe('lone \r stays')
  })

  test('keeps the bytes after the newline', async () => {
    const reader = fedReader(['line\nrest'])
    expect(await reader.readLine()).toBe('line')
    expect(await reader.read()).toEqual(Buffer.from('rest'))
  })

  test('waits for the newline', async () => {
    const reader = fedReader(['chunk1 '])
    const line = watch(reader.readLine())
    feed(reader, 'chunk2')
    await Promise.resolve()
    expect(line.state).toBe('pending')
    feed(reader, '\nchunk3')
    expect(await line.promise).toBe('chunk1 chunk2')
  })

  test('keeps the terminator when asked to', async () => {
    const reader = fedReader(['one\ntwo\r\nthree\n'])
    const options = { keepTerminator: true } as const
    expect(await reader.readLine(options)).toBe('one\n')
    expect(await reader.readLine(options)).toBe('two\r\n')
    const bytes = await reader.readLine({ ...options, encoding: 'buffer' })
    expect(bytes).toEqual(Buffer.from('three\n'))
  })

  test('maps each byte to one character as latin1', async () => {
    const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => (byte === 10 ? 0 : byte)))
    const reader = fedReader([Buffer.concat([every, Buffer.from('\n')])])
    expect(await reader.readLine({ encoding: 'latin1' })).toBe(every.toString('latin1'))
  })

  test('is byte-exact as buffer', async () => {
    const reader = fedReader([Buffer.from('a\0\xff\r\r\n', 'latin1')])
    const line = await reader.readLine({ encoding: 'buffer' })
    expect(line).toEqual(Buffer.from('a\0\xff\r', 'latin1'))
  })

  test('refuses options that have no meaning', async () => {
    const reader = fedReader(['x\n'])
    const options = { encoding: 'ascii' as 'utf8' }
    const error = new TypeError('encoding must be one of utf8, latin1, buffer, not "ascii"')
    await expect(reader.readLine(options)).rejects.toThrow(error)
    expect(() => reader.tryReadLine(options)).toThrow(error)
    expect(() => reader.lines(options)).toThrow(error)
    expect(() => reader.lineBatches(options)).toThrow(error)
    expect(reader.bufferedBytes).toBe(2)
  })
})

describe('StreamReader.tryReadLine()', () => {
  test('drives a loop that ends where readLine() would wait, and at the end of input', () => {
    const reader = fedReader(['a\nb\nc'])
    const loop = (): string[] => {
      const lines: string[] = []
      let line: string | null | undefined
      while ((line = reader.tryReadLine()) != null) lines.push(line)
      return lines
    }
    expect(loop()).toEqual(['a', 'b'])
    feed(reader, '\n')
    expect(loop()).toEqual(['c'])
    expect(reader.tryReadLine()).toBeUndefined()
    reader.feedEof()
    expect(reader.tryReadLine()).toBeNull()
  })

  test('takes the options of readLine()', () => {
    const reader = fedReader(['a\r\nä\n'])
    expect(reader.tryReadLine({ encoding: 'buffer' })).toEqual(Buffer.from('a'))
    expect(reader.tryReadLine({ encoding: 'latin1', keepTerminator: true })).toBe('Ã¤\n')
  })
})

describe('StreamReader.readAll()', () => {
  test('gives everything up to the end of input', async () => {
    const reader = fedReader(['one', 'two'])
    const all = reader.readAll()
    feed(reader, 'three')
    reader.feedEof()
    expect(await all).toEqual(Buffer.from('onetwothree'))
    expect(await reader.readAll()).toEqual(Buffer.alloc(0))
    expect(reader.endedBy).toBe('peer')
  })

  test('over maxBytes is a LimitOverrunError; the bytes stay', async () => {
    const reader = fedReader(['1234'])
    const all = rejection(reader.readAll({ maxBytes: 4 }))
    feed(reader, '5')
    expect(await all).toBeInstanceOf(LimitOverrunError)
    expect(await all).toMatchObject({ limit: 4, consumed: 5, found: false })
    expect(await reader.read()).toEqual(Buffer.from('12345'))
  })

  test('has a cap of 8 MiB unless told', async () => {
    const reader = new StreamReader()
    const all = rejection(reader.readAll())
    for (let i = 0; i < 8; i++) feed(reader, Buffer.alloc(2 ** 20))
    feed(reader, 'x')
    expect(await all).toMatchObject({ limit: 2 ** 23, consumed: 2 ** 23 + 1 })
  })
})

describe('StreamReader.peek()', () => {
  test('gives the next bytes and leaves them', async () => {
    const reader = fedReader(['hello'])
    expect(await reader.peek(2)).toEqual(Buffer.from('he'))
    expect(await reader.peek(5)).toEqual(Buffer.from('hello'))
    expect(await reader.read()).toEqual(Buffer.from('hello'))
  })

  test('waits until as many have come', async () => {
    const reader = fedReader(['he'])
    const peek = reader.peek(4)
    feed(reader, 'llo')
    expect(await peek).toEqual(Buffer.from('hell'))
    expect(reader.bufferedBytes).toBe(5)
  })

  test('gives fewer at the end of input, and null when there are none', async () => {
    const reader = endedReader(['he'])
    expect(await reader.peek(4)).toEqual(Buffer.from('he'))
    await reader.read()
    expect(await reader.peek(4)).toBeNull()
    expect(await reader.peek(0)).toEqual(Buffer.alloc(0))
  })
})

describe('StreamReader.readFrame()', () => {
  test('gives a frame when it is whole, and null at the end of input', async () => {
    const reader = fedReader(['\x05he'])
    const frame = reader.readFrame(COUNTED)
    feed(reader, 'llo\x00')
    expect(await frame).toBe('hello')
    expect(await reader.readFrame(COUNTED)).toBe('')
    reader.feedEof()
    expect(await reader.readFrame(COUNTED)).toBeNull()
  })

  test('is an IncompleteReadError when the input ends inside a frame', async () => {
    const reader = endedReader(['\x05he'])
    const error = await rejection(reader.readFrame(COUNTED))
    expect(error).toBeInstanceOf(IncompleteReadError)
    expect(error).toMatchObject({ partial: Buffer.from('\x05he') })
    expect(await reader.readFrame(COUNTED)).toBeNull()
  })

  test('passes on what the framing throws', async () => {
    const reader = fedReader([Buffer.of(0xff)])
    await expect(reader.readFrame(COUNTED)).rejects.toThrow(new ProtocolError('the peer sent 0xff'))
    expect(() => reader.tryReadFrame(COUNTED)).toThrow(ProtocolError)
  })

  test('is a LimitOverrunError when maxBytes have come and no frame is whole; the bytes stay', async () => {
    const reader = fedReader(['\x05123'])
    const small = { ...COUNTED, maxBytes: 4 }
    expect(reader.tryReadFrame(small)).toBeUndefined()
    feed(reader, '4')
    const error = await rejection(reader.readFrame(small))
    expect(error).toBeInstanceOf(LimitOverrunError)
    expect(error).toMatchObject({ limit: 4, consumed: 5, found: false })
    expect(reader.bufferedBytes).toBe(5)
  })

  test('holds 8 MiB for a frame unless the framing says otherwise', async () => {
    const never: Framing<string> = { decode: () => undefined, encode: (value) => value }
    const reader = fedReader([Buffer.alloc(2 ** 23)])
    expect(reader.tryReadFrame(never)).toBeUndefined()
    feed(reader, 'x')
    await expect(reader.readFrame(never)).rejects.toMatchObject({ limit: 2 ** 23 })
  })

  test.each([
    ['gives null', { decode: () => null }],
    ['takes nothing', { decode: () => 1 }],
  ])('refuses a framing that %s', async (_, framing) => {
    const reader = fedReader(['x'])
    await expect(reader.readFrame(framing as unknown as Framing<unknown>)).rejects.toThrow(
      new TypeError(
        'a framing must take at least one byte for each frame, and no frame may be null',
      ),
    )
  })
})

describe('StreamReader.tryReadFrame()', () => {
  test('gives undefined where readFrame() would wait, then frames, then null', () => {
    const reader = fedReader(['\x01a\x02'])
    expect(reader.tryReadFrame(COUNTED)).toBe('a')
    expect(reader.tryReadFrame(COUNTED)).toBeUndefined()
    feed(reader, 'bc')
    expect(reader.tryReadFrame(COUNTED)).toBe('bc')
    reader.feedEof()
    expect(reader.tryReadFrame(COUNTED)).toBeNull()
  })
})

describe('StreamReader.lines()', () => {
  test('gives the lines up to the end of input', async () => {
    expect(await collect(endedReader(['a\nb', '\r\n\n']).lines())).toEqual(['a', 'b', ''])
  })

  test('is what iterating the reader itself does', async () => {
    const lines: string[] = []
    for await (const line of endedReader(['a\nb\n'])) lines.push(line)
    expect(lines).toEqual(['a', 'b'])
  })

  test('takes the options of readLine()', async () => {
    const reader = endedReader(['a\r\nb\n'])
    const lines = await collect(reader.lines({ encoding: 'buffer', keepTerminator: true }))
    expect(lines).toEqual([Buffer.from('a\r\n'), Buffer.from('b\n')])
  })

  test('goes on in a new loop after a line that was an error', async () => {
    const reader = endedReader([Buffer.from('a\n\xff\nb\n', 'latin1')])
    const seen: string[] = []
    const loop = async (): Promise<void> => {
      for await (const line of reader.lines()) seen.push(line)
    }
    await expect(loop()).rejects.toThrow(DecodeError)
    await loop()
    expect(seen).toEqual(['a', 'b'])
  })

  test('passes its timeoutMs to each read', async () => {
    const clock = new FakeClock()
    const reader = fedReader(['a\n'], { clock })
    const lines = reader.lines({ timeoutMs: 100 })
    expect(await lines.next()).toEqual({ done: false, value: 'a' })
    const late = rejection(lines.next())
    await clock.advance(100)
    expect(await late).toMatchObject({ code: 'ERR_STANDPIPE_TIMED_OUT', phase: 'call' })
    feed(reader, 'b\n')
    expect(await lines.next()).toEqual({ done: false, value: 'b' })
  })
})

describe('StreamReader.lineBatches()', () => {
  test('gives the lines at hand, at least one, as an array', async () => {
    const reader = fedReader(['a\nb\r\nc'])
    const batches = reader.lineBatches()
    expect((await batches.next()).value).toEqual(['a', 'b'])
    const next = batches.next()
    feed(reader, '\n', 'd\n')
    expect((await next).value).toEqual(['c'])
    expect((await batches.next()).value).toEqual(['d'])
    reader.feedEof()
    expect(await batches.next()).toEqual({ done: true, value: undefined })
  })

  test('takes the options of readLine()', async () => {
    const reader = endedReader(['a\r\nb\n'])
    const batches = await collect(reader.lineBatches({ encoding: 'buffer' }))
    expect(batches).toEqual([[Buffer.from('a'), Buffer.from('b')]])
    const kept = endedReader(['a\r\nb\n']).lineBatches({ keepTerminator: true })
    expect(await collect(kept)).toEqual([['a\r\n', 'b\n']])
  })

  test('gives the lines before one that is an error, and the error next', async () => {
    const reader = endedReader([Buffer.from('a\nb\n\xff\nc\n', 'latin1')])
    const batches = reader.lineBatches()
    expect((await batches.next()).value).toEqual(['a', 'b'])
    await expect(batches.next()).rejects.toThrow(DecodeError)
    expect((await batches.next()).value).toEqual(['c'])
  })

  test('leaves a line that is an error to whichever read comes next', async () => {
    const reader = fedReader(['a\n123456789\nb\n'], { limit: 8 })
    const host = attachHost(reader)
    expect((await reader.lineBatches().next()).value).toEqual(['a'])
    expect(host.calls).toEqual([])
    await expect(reader.readLine()).rejects.toThrow(LimitOverrunError)
    expect(host.calls).toEqual(['overran'])
    expect(await reader.readLine()).toBe('b')
  })

  test('gives a last line that has no terminator by itself', async () => {
    const reader = endedReader(['a\nb'], { partial: 'yield' })
    expect((await collect(reader.lineBatches())).flat()).toEqual(['a', 'b'])
    const strict = endedReader(['a\nb']).lineBatches()
    expect((await strict.next()).value).toEqual(['a'])
    await expect(strict.next()).rejects.toThrow(IncompleteReadError)
  })
})

describe('StreamReader.chunks()', () => {
  test('gives the bytes up to the end of input, as they come', async () => {
    const reader = new StreamReader()
    const chunks = collect(reader.chunks())
    for (const text of ['one', 'two']) {
      feed(reader, text)
      await Promise.resolve()
      await Promise.resolve()
    }
    reader.feedEof()
    expect(Buffer.concat(await chunks)).toEqual(Buffer.from('onetwo'))
  })
})

describe('StreamReader.frames()', () => {
  test('gives the frames up to the end of input', async () => {
    expect(await collect(endedReader(['\x01a\x02b', 'c']).frames(COUNTED))).toEqual(['a', 'bc'])
  })
})

describe('StreamReader iterators', () => {
  test.each([
    ['lines', (reader: StreamReader) => reader.lines()],
    ['lineBatches', (reader: StreamReader) => reader.lineBatches()],
    ['chunks', (reader: StreamReader) => reader.chunks()],
    ['frames', (reader: StreamReader) => reader.frames(COUNTED)],
  ])('%s(): leaving the loop leaves the stream open', async (_, iterate) => {
    const reader = fedReader(['\x01\n'])
    const host = attachHost(reader)
    for await (const one of iterate(reader)) {
      expect(one).toBeDefined()
      break
    }
    expect(host.calls).toEqual([])
    feed(reader, 'still open\n')
    expect(await reader.readUntil('n\n')).toEqual(Buffer.from('still open\n'))
  })
})

describe('StreamReader, what is settled about reading', () => {
  test('1: an over-long line is one error, and the stream stays in step', async () => {
    const reader = fedReader(['1234567890'], { limit: 4 })
    const error = await rejection(reader.readLine())
    expect(error).toBeInstanceOf(LimitOverrunError)
    expect(error).toMatchObject({ limit: 4, consumed: 10, found: false })
    const next = reader.readLine()
    feed(reader, 'its tail', ' goes on\nnext\n')
    expect(await next).toBe('next')
  })

  test('1: what is thrown away of it is never stored', async () => {
    const reader = fedReader(['12345'], { limit: 4 })
    await rejection(reader.readLine())
    for (let i = 0; i < 5; i++) {
      feed(reader, '1234567890')
      expect(reader.bufferedBytes).toBe(0)
    }
    feed(reader, '\nx')
    expect(reader.bufferedBytes).toBe(1)
  })

  test('1: past 16 times the limit the stream is given up', async () => {
    const reader = fedReader(['12345'], { limit: 4 })
    const host = attachHost(reader)
    await rejection(reader.readLine())
    const next = rejection(reader.readLine())
    feed(reader, 'x'.repeat(59))
    expect(host.calls).toEqual(['overran'])
    feed(reader, 'x')
    const message = 'a line has no end after 65 bytes, 16 times the limit of 4'
    expect(host.calls).toEqual(['overran', `gave up: ${message}`])
    const error = await next
    expect(error).toMatchObject({ message, limit: 4, consumed: 65, found: false })
    expect(await rejection(reader.readLine())).toBe(error)
    expect(await rejection(reader.read())).toBe(error)
  })

  test('1: and at once where so much of it has come before it was read', async () => {
    const reader = fedReader(['x'.repeat(65)], { limit: 4 })
    const host = attachHost(reader)
    const error = await rejection(reader.readLine())
    expect(error).toMatchObject({ limit: 4, consumed: 65, found: false })
    expect(host.calls).toEqual(['overran', `gave up: ${(error as Error).message}`])
    feed(reader, '\nnext\n')
    expect(await rejection(reader.readLine())).toBe(error)
  })

  test('1: the limit counts the bytes before the terminator', async () => {
    const lines = [
      '1234\n',
      '1234\r\n',
      'ää\r\n',
      '12345\n',
      '12345\r\n',
      'äää\n',
      '1234\r\r\n',
      'x\n',
    ]
    for (const encoding of ['utf8', 'latin1', 'buffer'] as const) {
      for (const keepTerminator of [false, true]) {
        const reader = fedReader(lines, { limit: 4 })
        const options = { encoding: encoding as 'utf8', keepTerminator }
        const fits: boolean[] = []
        for (const _ of lines) {
          fits.push(
            await reader.readLine(options).then(
              () => true,
              () => false,
            ),
          )
        }
        expect(fits).toEqual([true, true, true, false, false, false, false, true])
      }
    }
  })

  test('1: a CR behind a line of the limit may be the first half of its terminator', async () => {
    const reader = fedReader(['1234\r'], { limit: 4 })
    expect(reader.tryReadLine()).toBeUndefined()
    feed(reader, '\n1234\r')
    expect(reader.tryReadLine()).toBe('1234')
    feed(reader, 'x\n')
    expect(() => reader.tryReadLine()).toThrow(LimitOverrunError)
    expect(() => endedReader(['1234\r'], { limit: 4 }).tryReadLine()).toThrow(LimitOverrunError)
  })

  test('1: the host is told of each over-long line, once', async () => {
    const reader = fedReader(['12345\nok\n12345'], { limit: 4 })
    const host = attachHost(reader)
    await rejection(reader.readLine())
    expect(await reader.readLine()).toBe('ok')
    await rejection(reader.readLine())
    feed(reader, '6\nok\n')
    expect(await reader.readLine()).toBe('ok')
    expect(host.calls.filter((call) => call !== 'resume')).toEqual(['overran', 'overran'])
  })

  test('2: a last line without terminator is an error with its bytes, unless told otherwise', async () => {
    const strict = endedReader(['whole\npart'])
    expect(await strict.readLine()).toBe('whole')
    const error = await rejection(strict.readLine())
    expect(error).toBeInstanceOf(IncompleteReadError)
    expect(error).toMatchObject({ partial: Buffer.from('part') })
    expect(await strict.readLine()).toBeNull()

    const asked = endedReader(['part'])
    expect(await asked.readLine({ partial: 'yield' })).toBe('part')
    expect(await asked.readLine()).toBeNull()
    expect(await endedReader(['part']).readLine({ partial: 'drop' })).toBeNull()
    expect(await endedReader(['part'], { partial: 'yield' }).readLine()).toBe('part')
    expect(await endedReader(['part'], { partial: 'drop' }).readLine()).toBeNull()
  })

  test('2: the same in lines()', async () => {
    await expect(collect(endedReader(['a\nb']).lines())).rejects.toThrow(IncompleteReadError)
    expect(await collect(endedReader(['a\nb']).lines({ partial: 'yield' }))).toEqual(['a', 'b'])
    expect(await collect(endedReader(['a\nb']).lines({ partial: 'drop' }))).toEqual(['a'])
  })

  test('3: what arrived is delivered before the error that followed it', async () => {
    const reset = new BrokenError('reset by the peer')
    const reader = fedReader(['a\nb\nrest'])
    reader.setError(reset)
    expect(await reader.readLine()).toBe('a')
    expect(await reader.readUntil('\n')).toEqual(Buffer.from('b\n'))
    expect(await reader.readExactly(2)).toEqual(Buffer.from('re'))
    expect(await rejection(reader.readLine())).toBe(reset)
    expect(await reader.read()).toEqual(Buffer.from('st'))
  })

  test.each(WAITING_READS)('3: afterwards %s gives that same error', async (_, read) => {
    const reset = new BrokenError('reset by the peer')
    const reader = new StreamReader()
    const waiting = rejection(read(reader))
    reader.setError(reset)
    reader.setError(new Error('another'))
    reader.feedEof()
    feed(reader, 'too late\n')
    expect(await waiting).toBe(reset)
    expect(await rejection(read(reader))).toBe(reset)
    expect(reader.atEof).toBe(false)
  })

  test.each(TRYING_READS)('3: afterwards %s throws that same error', (_, tryRead) => {
    const reset = new BrokenError('reset by the peer')
    const reader = new StreamReader()
    reader.setError(reset)
    expect(() => tryRead(reader)).toThrow(reset)
  })

  test('3: an error after the end of input changes nothing', async () => {
    const reader = endedReader(['x'])
    reader.setError(new Error('late'))
    expect(await reader.readAll()).toEqual(Buffer.from('x'))
    expect(await reader.read()).toBeNull()
  })

  test.each(WAITING_READS)(
    '4: %s while another read waits is a BusyError at once',
    async (_, read) => {
      const reader = new StreamReader()
      const first = reader.readUntil(';')
      expect(await rejection(read(reader))).toBeInstanceOf(BusyError)
      feed(reader, 'first;')
      expect(await first).toEqual(Buffer.from('first;'))
    },
  )

  test.each(TRYING_READS)('4: %s while another read waits is a BusyError', async (_, tryRead) => {
    const reader = new StreamReader()
    const first = reader.read()
    expect(() => tryRead(reader)).toThrow(BusyError)
    feed(reader, 'x')
    await first
  })

  test.each(WAITING_READS)('4: an aborted %s has consumed nothing', async (_, read) => {
    const reader = new StreamReader()
    const abort = new AbortController()
    const reason = new Error('no longer wanted')
    const aborted = rejection(read(reader, { signal: abort.signal }))
    abort.abort(reason)
    expect(await aborted).toBe(reason)
    feed(reader, '\x04abc\nde')
    expect(await reader.read()).toEqual(Buffer.from('\x04abc\nde'))
    expect(getEventListeners(abort.signal, 'abort')).toEqual([])
  })

  test.each(WAITING_READS)(
    '4: %s with a signal that has aborted takes nothing',
    async (_, read) => {
      const reader = fedReader(['\x04abc\n'])
      const signal = AbortSignal.abort(new Error('before'))
      expect(await rejection(read(reader, { signal }))).toBe(signal.reason)
      expect(reader.bufferedBytes).toBe(5)
    },
  )

  test.each(WAITING_READS)('4: a timed-out %s has consumed nothing', async (_, read) => {
    const clock = new FakeClock()
    const reader = new StreamReader({ clock })
    const late = rejection(read(reader, { timeoutMs: 250 }))
    feed(reader)
    await clock.advance(249)
    expect(clock.pendingTimers).toBe(1)
    await clock.advance(1)
    const error = await late
    expect(error).toBeInstanceOf(TimeoutError)
    expect(error).toMatchObject({
      message: 'the read did not end within 250 ms',
      phase: 'call',
      timeoutMs: 250,
    })
    feed(reader, '\x04abc\nde')
    expect(await reader.read()).toEqual(Buffer.from('\x04abc\nde'))
    expect(clock.pendingTimers).toBe(0)
  })

  test('4: a read that ends in time leaves its timer behind, which then does nothing', async () => {
    const clock = new FakeClock()
    const reader = new StreamReader({ clock })
    const first = reader.readLine({ timeoutMs: 100 })
    feed(reader, 'a\n')
    expect(await first).toBe('a')
    const second = watch(reader.readLine())
    await clock.advance(1000)
    expect(second.state).toBe('pending')
    expect(clock.pendingTimers).toBe(0)
    feed(reader, 'b\n')
    expect(await second.promise).toBe('b')
  })

  test.each([0, -1, Number.NaN])('4: a timeoutMs of %s is refused', async (timeoutMs) => {
    const error = new RangeError(
      `timeoutMs must be a number of milliseconds above 0, not ${timeoutMs}`,
    )
    await expect(fedReader(['x']).read(1, { timeoutMs })).rejects.toThrow(error)
  })

  test('4: 100,000 reads on one signal leave no listener', async () => {
    const reader = new StreamReader()
    const { signal } = new AbortController()
    for (let i = 0; i < 100_000; i++) {
      const line = reader.readLine({ signal })
      feed(reader, 'x\n')
      await line
    }
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  test('5: readExactly() at the end of input is an IncompleteReadError, with 0 bytes too', async () => {
    const reader = endedReader(['abc'])
    const error = await rejection(reader.readExactly(5))
    expect(error).toBeInstanceOf(IncompleteReadError)
    expect(error).toMatchObject({ partial: Buffer.from('abc'), expected: 5 })
    expect(await rejection(reader.readExactly(5))).toMatchObject({
      partial: Buffer.alloc(0),
      expected: 5,
    })
    expect(reader.endedBy).toBe('peer')
  })

  test('5: a read that waits for more than the mark is never left paused', async () => {
    const reader = new StreamReader({ limit: 4 })
    const host = attachHost(reader)
    feed(reader, '123456789')
    expect(host.calls).toEqual(['pause'])
    const read = reader.readExactly(20)
    expect(host.calls).toEqual(['pause', 'resume'])
    feed(reader, '0123456789', '0123456789')
    expect(await read).toHaveLength(20)
    // What is left over is again more than the mark.
    expect(host.calls).toEqual(['pause', 'resume', 'pause'])
  })

  test('6: text is split on bytes, and lines are decoded whole', async () => {
    const bytes = Buffer.from('ä€😀\nnext\n')
    const reader = new StreamReader()
    const line = reader.readLine()
    for (const byte of bytes) feed(reader, Buffer.of(byte))
    expect(await line).toBe('ä€😀')
    expect(await reader.readLine()).toBe('next')
  })

  test('6: a line that is not valid UTF-8 is an error, and the next one is not', async () => {
    const reader = fedReader([Buffer.from('good\nb\xffd\nnext\n', 'latin1')])
    expect(await reader.readLine()).toBe('good')
    const error = await rejection(reader.readLine())
    expect(error).toBeInstanceOf(DecodeError)
    expect(error).toMatchObject({ bytes: Buffer.from('b\xffd', 'latin1') })
    expect(await reader.readLine()).toBe('next')
  })

  test('6: or it has U+FFFD in it, where that is asked for', async () => {
    const bytes = Buffer.from('b\xffd\n', 'latin1')
    expect(await fedReader([bytes], { invalidText: 'replace' }).readLine()).toBe('b\ufffdd')
    expect(await fedReader([bytes]).readLine({ invalidText: 'replace' })).toBe('b\ufffdd')
    const batch = await fedReader([bytes, bytes]).lineBatches({ invalidText: 'replace' }).next()
    expect(batch.value).toEqual(['b\ufffdd', 'b\ufffdd'])
  })

  test('6: a byte order mark stays', async () => {
    expect(await fedReader(['\ufeffx\n']).readLine()).toBe('\ufeffx')
  })

  test('6: readExactly() after readLine() is exact', async () => {
    const reader = fedReader(['ä\nbody', 'ö\nbody', 'ü\nbody'])
    for (const text of 'äöü') {
      expect(await reader.readLine()).toBe(text)
      expect(await reader.readExactly(4)).toEqual(Buffer.from('body'))
    }
  })

  test('7: lines end in LF or CRLF; a lone CR is content', async () => {
    const reader = endedReader(['a\rb\n', 'c\r', '\n', '\r\r\n'])
    expect(await collect(reader.lines())).toEqual(['a\rb', 'c', '\r'])
  })
})

describe('StreamReader.feedData()', () => {
  test('pauses the source above twice the limit, and resumes it at the limit', () => {
    const reader = new StreamReader({ limit: 4 })
    const host = attachHost(reader)
    feed(reader, '12345678')
    expect(host.calls).toEqual([])
    expect(reader.isPaused).toBe(false)
    feed(reader, '9', '0')
    expect(host.calls).toEqual(['pause'])
    expect(reader.isPaused).toBe(true)
    reader.tryRead(5)
    expect(host.calls).toEqual(['pause'])
    reader.tryReadExactly(1)
    expect(host.calls).toEqual(['pause', 'resume'])
  })

  test('resumes the source when a line is read without waiting', async () => {
    const reader = new StreamReader({ limit: 4 })
    const host = attachHost(reader)
    feed(reader, '12\n34\n56\n')
    expect(await reader.readLine()).toBe('12')
    expect(host.calls).toEqual(['pause'])
    expect(await reader.readLine()).toBe('34')
    expect(host.calls).toEqual(['pause', 'resume'])
  })

  test('pauses by exact counts, also where lines were decoded ahead', () => {
    const reader = fedReader(['12\n34\n56\n'], { limit: 5 })
    const host = attachHost(reader)
    reader.tryReadLine()
    feed(reader, '7890')
    expect(host.calls).toEqual([])
    feed(reader, '1')
    expect(host.calls).toEqual(['pause'])
  })

  test('after the end, an error or a close is ignored', async () => {
    const reader = endedReader([])
    feed(reader, 'x')
    expect(reader.bufferedBytes).toBe(0)
  })
})

describe('StreamReader.atEof', () => {
  test('is true only when the end was fed and every byte was taken', () => {
    const reader = fedReader(['x\n'])
    expect(reader.atEof).toBe(false)
    reader.feedEof()
    reader.feedEof()
    expect(reader.atEof).toBe(false)
    expect(reader.endedBy).toBeUndefined()
    reader.tryReadLine()
    expect(reader.atEof).toBe(true)
  })
})

describe('StreamReader.close()', () => {
  test('drops what is stored, and every read gives the error', async () => {
    const closed = new ClosedError('closed here')
    const reader = fedReader(['a\nb'])
    reader.cut()
    feed(reader, 'c')
    reader.close(closed)
    expect(reader.bufferedBytes).toBe(0)
    for (const [, read] of WAITING_READS) expect(await rejection(read(reader))).toBe(closed)
  })

  test('rejects the read that waits; nobody need await it', async () => {
    const closed = new ClosedError('closed here')
    const reader = new StreamReader()
    const waiting = reader.readLine()
    reader.close(closed)
    // The guard of this file sees a rejection that is not handled by the end of the turn.
    await new Promise((resolve) => setImmediate(resolve))
    await expect(waiting).rejects.toBe(closed)
  })
})

describe('StreamReader.cut()', () => {
  const MESSAGE_READS: [string, (reader: StreamReader) => Promise<unknown>, unknown][] = [
    ['readLine', (reader) => reader.readLine(), '\x01a'],
    ['lines', async (reader) => (await reader.lines().next()).value ?? null, '\x01a'],
    ['lineBatches', async (reader) => (await reader.lineBatches().next()).value ?? null, ['\x01a']],
    ['readUntil', (reader) => reader.readUntil('\n'), Buffer.from('\x01a\n')],
    ['readFrame', (reader) => reader.readFrame(COUNTED), 'a'],
    ['frames', async (reader) => (await reader.frames(COUNTED).next()).value ?? null, 'a'],
  ]

  test.each(MESSAGE_READS)(
    '%s gives what lies before the cut, then null',
    async (_, read, whole) => {
      const reader = fedReader(['\x01a\n'])
      reader.cut()
      reader.cut()
      feed(reader, '\x01b\n')
      expect(await read(reader)).toEqual(whole)
      // What a frame left of the line.
      if (reader.bufferedBytes === 4) reader.tryReadExactly(1)
      expect(reader.bufferedBytes).toBe(3)
      expect(await read(reader)).toBeNull()
      expect(reader.endedBy).toBe('stop')
    },
  )

  test.each(MESSAGE_READS)('%s that waits ends with null', async (_, read) => {
    const reader = fedReader(['\x05'])
    const waiting = read(reader)
    reader.cut()
    expect(await waiting).toBeNull()
    expect(reader.endedBy).toBe('stop')
  })

  test('a begun message is dropped, not an error, though the peer ends too', async () => {
    const reader = fedReader(['whole\nbeg'])
    reader.cut()
    feed(reader, 'un\n')
    reader.feedEof()
    expect(await collect(reader.lines())).toEqual(['whole'])
    expect(reader.endedBy).toBe('stop')
  })

  test('read(), readExactly(), peek() and readAll() go on past it', async () => {
    const reader = fedReader(['ab'])
    reader.cut()
    expect(await reader.read()).toEqual(Buffer.from('ab'))
    const read = reader.read()
    feed(reader, 'cd')
    expect(await read).toEqual(Buffer.from('cd'))
    const exactly = reader.readExactly(3)
    feed(reader, 'e', 'fgh')
    expect(await exactly).toEqual(Buffer.from('efg'))
    expect(await reader.peek(1)).toEqual(Buffer.from('h'))
    const all = reader.readAll()
    feed(reader, 'ij')
    reader.feedEof()
    expect(await all).toEqual(Buffer.from('hij'))
    expect(reader.endedBy).toBe('peer')
    expect(await reader.read()).toBeNull()
  })

  test('a read over the cut takes from both sides, and no message comes after it', async () => {
    const reader = fedReader(['ab'])
    reader.cut()
    feed(reader, 'c\0whole\n')
    expect(reader.bufferedBytes).toBe(10)
    expect(await reader.readExactly(3)).toEqual(Buffer.from('abc'))
    expect(await reader.readLine()).toBeNull()
    expect(await reader.readUntil('\n')).toBeNull()
    expect(await reader.readFrame(COUNTED)).toBeNull()
    expect((await reader.lineBatches().next()).done).toBe(true)
    expect(await reader.read()).toEqual(Buffer.from('\0whole\n'))
  })

  test('what only looks past it, or gives up, takes no message away', async () => {
    const reader = fedReader(['a\n'])
    reader.cut()
    feed(reader, 'b\n')
    expect(await reader.peek(3)).toEqual(Buffer.from('a\nb'))
    expect(reader.tryReadExactly(9)).toBeUndefined()
    await expect(reader.readAll({ maxBytes: 3 })).rejects.toThrow(LimitOverrunError)
    const abort = new AbortController()
    const all = rejection(reader.readAll({ signal: abort.signal }))
    abort.abort()
    await all
    expect(await reader.readLine()).toBe('a')
    expect(await reader.readLine()).toBeNull()
    expect(await reader.readExactly(2)).toEqual(Buffer.from('b\n'))
  })

  test('an over-long line is thrown away past it', async () => {
    const reader = fedReader(['123456'], { limit: 4 })
    await rejection(reader.readLine())
    reader.cut()
    feed(reader, '7\nrest')
    expect(await reader.readLine()).toBeNull()
    expect(await reader.read()).toEqual(Buffer.from('rest'))
  })

  test('changes nothing after the end of input', async () => {
    const reader = endedReader(['a\nb'])
    reader.cut()
    expect(await reader.readLine()).toBe('a')
    await expect(reader.readLine()).rejects.toThrow(IncompleteReadError)
    expect(await reader.readLine()).toBeNull()
    expect(reader.endedBy).toBe('peer')
  })

  test('does not hide the error that ended the stream', async () => {
    const reset = new BrokenError('reset by the peer')
    const reader = fedReader(['a\n'])
    reader.cut()
    reader.setError(reset)
    expect(await reader.readLine()).toBe('a')
    expect(await rejection(reader.readLine())).toBe(reset)
  })

  test('counts what came after it towards the mark', () => {
    const reader = fedReader(['123456'], { limit: 4 })
    const host = attachHost(reader)
    reader.cut()
    feed(reader, '78')
    expect(host.calls).toEqual([])
    feed(reader, '9')
    expect(host.calls).toEqual(['pause'])
  })
})
