import { describe, expect, test } from 'vitest'
import {
  DecodeError,
  IncompleteReadError,
  LimitOverrunError,
  ProtocolError,
} from '../../src/errors.js'
import type { Chunk, Framing } from '../../src/protocol/framing.js'
import { lengthPrefixFraming } from '../../src/protocol/length-prefix-framing.js'
import { lineFraming } from '../../src/protocol/line-framing.js'
import { ndjsonFraming } from '../../src/protocol/ndjson-framing.js'
import { netstringFraming } from '../../src/protocol/netstring-framing.js'
import { separatorFraming } from '../../src/protocol/separator-framing.js'
import { endedReader, fedReader, feed } from '../support/fed-reader.js'
import { rejection } from '../support/settled.js'

/** What `encode` gives, as the bytes that are written. */
function encoded<Value>(framing: Framing<Value>, value: Value): Buffer {
  const frame = framing.encode(value)
  const chunks: readonly Chunk[] =
    typeof frame === 'string' || frame instanceof Uint8Array ? [frame] : frame
  return Buffer.concat(chunks.map((chunk) => Buffer.from(chunk as string)))
}

/** The first frame of these bytes: a value, or undefined while it is not whole. */
function decoded<Value>(framing: Framing<Value>, bytes: string | Buffer): Value | null | undefined {
  return fedReader([bytes]).tryReadFrame(framing)
}

function thrownBy(call: () => unknown): unknown {
  try {
    call()
  } catch (error) {
    return error
  }
  throw new Error('it should have thrown')
}

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

describe('lineFraming()', () => {
  test('reads lines that end in LF or CRLF, and writes LF', async () => {
    const framing = lineFraming()
    const reader = endedReader(['one\ntw', 'o\r', '\n\nlone \r stays\n'])
    const lines: string[] = []
    for await (const line of reader.frames(framing)) lines.push(line)
    expect(lines).toEqual(['one', 'two', '', 'lone \r stays'])
    expect(encoded(framing, 'ä')).toEqual(Buffer.from('ä\n'))
  })

  test('keeps the terminator when asked to, and then wants it', () => {
    const framing = lineFraming({ keepTerminator: true })
    expect(decoded(framing, 'one\r\n')).toBe('one\r\n')
    expect(encoded(framing, 'one\r\n')).toEqual(Buffer.from('one\r\n'))
    for (const value of ['one', '', 'a\nb', 'a\nb\n']) {
      expect(() => framing.encode(value)).toThrow(
        new TypeError('the value of a line must have one LF, at its end'),
      )
    }
  })

  test('reads and writes bytes, and latin1', () => {
    const bytes = lineFraming({ encoding: 'buffer' })
    expect(decoded(bytes, hex('ff 00 0d 0a'))).toEqual(hex('ff 00'))
    expect(encoded(bytes, hex('ff 00'))).toEqual(hex('ff 00 0a'))
    const latin1 = lineFraming({ encoding: 'latin1' })
    expect(decoded(latin1, hex('e4 0a'))).toBe('ä')
    expect(encoded(latin1, 'ä')).toEqual(hex('e4 0a'))
  })

  test('consumes a line that is not valid UTF-8', async () => {
    const reader = fedReader([hex('61 ff 0a 62 0a')])
    const error = await rejection(reader.readFrame(lineFraming()))
    expect(error).toBeInstanceOf(DecodeError)
    expect(error).toMatchObject({ bytes: hex('61 ff') })
    expect(await reader.readFrame(lineFraming())).toBe('b')
  })

  test('over the limit is a LimitOverrunError, and nothing is taken', () => {
    const framing = lineFraming({ limit: 4 })
    expect(decoded(framing, '1234\r\n')).toBe('1234')
    expect(decoded(framing, '1234\r')).toBeUndefined()
    const reader = fedReader(['12345'])
    const unfinished = thrownBy(() => reader.tryReadFrame(framing))
    expect(unfinished).toBeInstanceOf(LimitOverrunError)
    expect(unfinished).toMatchObject({ limit: 4, consumed: 5, found: false })
    feed(reader, '6\nnext\n')
    const whole = thrownBy(() => reader.tryReadFrame(framing)) as LimitOverrunError
    expect(whole).toMatchObject({ limit: 4, consumed: 7, found: true })
    expect(whole.message).toBe(
      'a line is longer than its limit of 4 bytes; 7 bytes of it are still there to be read',
    )
    reader.tryReadExactly(whole.consumed)
    expect(reader.tryReadFrame(framing)).toBe('next')
  })

  test('refuses to write what would be read as another value', () => {
    const framing = lineFraming({ limit: 4 })
    expect(() => framing.encode('a\nb')).toThrow(
      new TypeError('the value of a line must not have a LF'),
    )
    expect(() => framing.encode('a\r')).toThrow(
      new TypeError('the value of a line must not end in a CR: it would be read as its end'),
    )
    expect(() => framing.encode('12345')).toThrow(
      new RangeError('a line of 5 bytes is longer than the limit of 4'),
    )
    expect(() => framing.encode('\ud800')).toThrow(
      new TypeError('the value has a lone surrogate, which utf8 cannot say'),
    )
    expect(() => lineFraming({ encoding: 'latin1' }).encode('€')).toThrow(
      new TypeError('the value has a character above U+00FF, which latin1 cannot say'),
    )
  })

  test.each([
    [undefined, 'undefined'],
    [null, 'null'],
    [7, '7'],
    [[1], 'an array'],
    [{}, 'an object'],
    [() => 1, 'a function'],
  ])('refuses the value %o', (value, words) => {
    expect(() => lineFraming().encode(value as unknown as string)).toThrow(
      new TypeError(`the value of a utf8 frame must be a string, not ${words}`),
    )
    expect(() => lineFraming({ encoding: 'buffer' }).encode(value as unknown as Buffer)).toThrow(
      new TypeError(`the value of a frame of bytes must be a Uint8Array, not ${words}`),
    )
  })

  test('refuses options that have no meaning', () => {
    expect(() => lineFraming({ limit: 0 })).toThrow(
      new RangeError('limit must be a whole number of bytes above 0, not 0'),
    )
    expect(() => lineFraming({ encoding: 'ascii' as 'utf8' })).toThrow(
      new TypeError('encoding must be one of utf8, latin1, buffer, not "ascii"'),
    )
    const long = 'x'.repeat(21) as 'utf8'
    expect(() => lineFraming({ encoding: long })).toThrow('not a string of 21 characters')
  })
})

describe('separatorFraming()', () => {
  test('reads what lies before each separator, and writes it with one', async () => {
    const framing = separatorFraming('\r\n\r\n')
    const reader = endedReader(['one\r\n', '\r\n\r\n\r\ntwo\r', '\n\r\n'])
    const values: string[] = []
    for await (const value of reader.frames(framing)) values.push(value)
    expect(values).toEqual(['one', '', 'two'])
    expect(encoded(framing, 'one')).toEqual(Buffer.from('one\r\n\r\n'))
  })

  test('takes a separator of bytes, and does not care what becomes of them', () => {
    const separator = hex('ff 00')
    const framing = separatorFraming(separator, { encoding: 'buffer' })
    separator.fill(1)
    expect(decoded(framing, hex('01 ff 02 ff 00'))).toEqual(hex('01 ff 02'))
    expect(encoded(framing, hex('01'))).toEqual(hex('01 ff 00'))
  })

  test('encodes a separator that is text as it does the value', () => {
    const framing = separatorFraming('§', { encoding: 'latin1' })
    expect(decoded(framing, hex('e4 a7'))).toBe('ä')
    expect(encoded(framing, 'ä')).toEqual(hex('e4 a7'))
    expect(encoded(separatorFraming('§'), 'ä')).toEqual(Buffer.from('ä§'))
  })

  test('consumes a value that is not valid UTF-8', async () => {
    const reader = fedReader([hex('ff 00 62 00')])
    const framing = separatorFraming('\0')
    await expect(reader.readFrame(framing)).rejects.toThrow(
      new DecodeError('a frame of 1 bytes is not valid UTF-8', hex('ff')),
    )
    expect(await reader.readFrame(framing)).toBe('b')
  })

  test('over the limit is a LimitOverrunError as soon as it shows, and nothing is taken', () => {
    const framing = separatorFraming('--', { maxBytes: 4 })
    expect(decoded(framing, '1234--')).toBe('1234')
    expect(decoded(framing, '1234-')).toBeUndefined()
    const reader = fedReader(['12345-'])
    expect(thrownBy(() => reader.tryReadFrame(framing))).toMatchObject({
      limit: 4,
      consumed: 6,
      found: false,
    })
    feed(reader, '-')
    expect(thrownBy(() => reader.tryReadFrame(framing))).toMatchObject({
      limit: 4,
      consumed: 7,
      found: true,
    })
  })

  test('refuses to write a value in which the separator would be found too soon', () => {
    const error = new TypeError('the value has the separator in it, or begins one at its end')
    expect(() => separatorFraming('--').encode('a--b')).toThrow(error)
    expect(() => separatorFraming('--').encode('a-')).toThrow(error)
    expect(() => separatorFraming('--', { maxBytes: 2 }).encode('abc')).toThrow(
      new RangeError('a frame of 3 bytes is longer than the limit of 2'),
    )
  })

  test('refuses a separator that is none', () => {
    expect(() => separatorFraming('')).toThrow(
      new RangeError('the separator must have at least one byte, not 0'),
    )
    expect(() => separatorFraming(10 as unknown as string)).toThrow(
      new TypeError('the separator must be a string or a Uint8Array, not 10'),
    )
    expect(() => separatorFraming('\ud800')).toThrow(TypeError)
    expect(() => separatorFraming('x', { maxBytes: 1.5 })).toThrow(
      new RangeError('maxBytes must be a whole number of bytes above 0, not 1.5'),
    )
  })
})

describe('lengthPrefixFraming()', () => {
  test.each([
    [1, 'big', '03', '616263'],
    [1, 'little', '03', '616263'],
    [2, 'big', '0003', '616263'],
    [2, 'little', '0300', '616263'],
    [4, 'big', '00000003', '616263'],
    [4, 'little', '03000000', '616263'],
    [8, 'big', '0000000000000003', '616263'],
    [8, 'little', '0300000000000000', '616263'],
  ] as const)('%d bytes, %s endian', async (bytes, endian, prefix, payload) => {
    const framing = lengthPrefixFraming({ bytes, endian })
    const frame = hex(prefix + payload)
    expect(encoded(framing, hex(payload))).toEqual(frame)
    const reader = endedReader([frame, hex(prefix), hex(payload)])
    expect(await reader.readFrame(framing)).toEqual(hex(payload))
    expect(await reader.readFrame(framing)).toEqual(hex(payload))
    expect(await reader.readFrame(framing)).toBeNull()
  })

  test('gives an empty Buffer for a length of 0', () => {
    const framing = lengthPrefixFraming({ bytes: 2, endian: 'big' })
    expect(decoded(framing, hex('0000'))).toEqual(Buffer.alloc(0))
    expect(encoded(framing, Buffer.alloc(0))).toEqual(hex('0000'))
  })

  test('uses every bit of the length', () => {
    const framing = lengthPrefixFraming({ bytes: 4, endian: 'big', maxBytes: 2 ** 32 })
    expect(decoded(framing, hex('fffffffe'))).toBeUndefined()
    const one = lengthPrefixFraming({ bytes: 1, endian: 'big' })
    expect(decoded(one, Buffer.concat([hex('ff'), Buffer.alloc(255)]))).toHaveLength(255)
  })

  test('adds the adjustment to a length that counts more or less than the payload', () => {
    const withHeader = lengthPrefixFraming({ bytes: 4, endian: 'big', adjustment: -4 })
    expect(decoded(withHeader, hex('00000006 6162'))).toEqual(hex('6162'))
    expect(encoded(withHeader, hex('6162'))).toEqual(hex('00000006 6162'))
    const withTrailer = lengthPrefixFraming({ bytes: 1, endian: 'big', adjustment: 2 })
    expect(decoded(withTrailer, hex('01 616263'))).toEqual(hex('616263'))
    expect(encoded(withTrailer, hex('616263'))).toEqual(hex('01 616263'))
    expect(() => withTrailer.encode(hex('61'))).toThrow(
      new RangeError('a length of -1 does not fit 1 bytes'),
    )
  })

  test('is a ProtocolError for a length that the adjustment makes negative', async () => {
    const framing = lengthPrefixFraming({ bytes: 4, endian: 'big', adjustment: -4 })
    await expect(fedReader([hex('00000003')]).readFrame(framing)).rejects.toThrow(
      new ProtocolError('the length of a frame is 3, which with the adjustment of -4 is below 0'),
    )
  })

  test('is a LimitOverrunError as soon as the length is there, and nothing is taken', () => {
    const framing = lengthPrefixFraming({ bytes: 2, endian: 'big', maxBytes: 4 })
    const reader = fedReader([hex('00')])
    expect(reader.tryReadFrame(framing)).toBeUndefined()
    feed(reader, hex('05'))
    const error = thrownBy(() => reader.tryReadFrame(framing))
    expect(error).toBeInstanceOf(LimitOverrunError)
    expect(error).toMatchObject({ limit: 4, consumed: 2, found: false })
    feed(reader, '12345678')
    expect(thrownBy(() => reader.tryReadFrame(framing))).toMatchObject({ consumed: 7, found: true })
    expect(reader.bufferedBytes).toBe(10)
  })

  test('holds 8 MiB unless told otherwise', () => {
    const framing = lengthPrefixFraming({ bytes: 4, endian: 'big' })
    expect(decoded(framing, hex('00800000'))).toBeUndefined()
    expect(() => decoded(framing, hex('00800001'))).toThrow(LimitOverrunError)
  })

  test.each(['0020000000000000', 'ffffffffffffffff'])(
    'is a LimitOverrunError for the length 0x%s, which a number cannot say',
    (length) => {
      const maxBytes = Number.MAX_SAFE_INTEGER
      const framing = lengthPrefixFraming({ bytes: 8, endian: 'big', maxBytes })
      expect(() => decoded(framing, hex(length))).toThrow(LimitOverrunError)
      expect(decoded(framing, hex('001fffffffffffff'))).toBeUndefined()
    },
  )

  test('refuses to write a payload that is too long', () => {
    const one = lengthPrefixFraming({ bytes: 1, endian: 'big' })
    expect(() => one.encode(Buffer.alloc(256))).toThrow(
      new RangeError('a length of 256 does not fit 1 bytes'),
    )
    const small = lengthPrefixFraming({ bytes: 4, endian: 'big', maxBytes: 2 })
    expect(() => small.encode(Buffer.alloc(3))).toThrow(
      new RangeError('a frame of 3 bytes is longer than the limit of 2'),
    )
    expect(() => small.encode('ab' as unknown as Buffer)).toThrow(
      new TypeError('the value of a frame of bytes must be a Uint8Array, not "ab"'),
    )
  })

  test('writes a Uint8Array that is a part of a larger one', () => {
    const part = new Uint8Array([1, 2, 3, 4]).subarray(1, 3)
    const framing: Framing<Uint8Array> = lengthPrefixFraming({ bytes: 1, endian: 'big' })
    expect(encoded(framing, part)).toEqual(hex('02 0203'))
  })

  test('refuses options that have no meaning', () => {
    const make = (options: object) => () =>
      lengthPrefixFraming({ bytes: 4, endian: 'big', ...options })
    expect(make({ bytes: 3 })).toThrow(new RangeError('bytes must be 1, 2, 4 or 8, not 3'))
    expect(make({ endian: 'middle' })).toThrow(
      new TypeError('endian must be one of big, little, not "middle"'),
    )
    expect(make({ adjustment: 0.5 })).toThrow(
      new RangeError('adjustment must be a whole number of bytes, not 0.5'),
    )
    expect(make({ maxBytes: -1 })).toThrow(
      new RangeError('maxBytes must be a whole number of bytes above 0, not -1'),
    )
  })
})

describe('netstringFraming()', () => {
  test('reads and writes netstrings', async () => {
    const framing = netstringFraming()
    const reader = endedReader(['12:hello world!,0:,', '1', '0', ':', '123456789', '0', ','])
    const values: string[] = []
    for await (const value of reader.frames(framing)) values.push(value.toString())
    expect(values).toEqual(['hello world!', '', '1234567890'])
    expect(encoded(framing, Buffer.from('hello world!'))).toEqual(Buffer.from('12:hello world!,'))
    expect(encoded(framing, Buffer.alloc(0))).toEqual(Buffer.from('0:,'))
  })

  test.each([
    ['a', 'the length of a netstring has the byte 0x61 where a digit should be'],
    [':', 'the length of a netstring has the byte 0x3a where a digit should be'],
    ['-1:', 'the length of a netstring has the byte 0x2d where a digit should be'],
    ['1 :a,', 'the length of a netstring has the byte 0x20 where a digit should be'],
    ['1\n', 'the length of a netstring has the byte 0x0a where a digit should be'],
    ['01:a,', 'the length of a netstring must not begin with a zero'],
    ['00:,', 'the length of a netstring must not begin with a zero'],
    ['3:abc\n', 'a netstring of 3 bytes must end with a comma, not the byte 0x0a'],
    ['3:abcd,', 'a netstring of 3 bytes must end with a comma, not the byte 0x64'],
  ])('%j is a ProtocolError', (bytes, message) => {
    expect(() => decoded(netstringFraming(), bytes)).toThrow(new ProtocolError(message))
  })

  test.each(['', '1', '12', '3:', '3:abc', '0:'])('%j is not whole', (bytes) => {
    expect(decoded(netstringFraming(), bytes)).toBeUndefined()
  })

  test('is a LimitOverrunError as soon as the digits say too much', () => {
    const framing = netstringFraming({ maxBytes: 10 })
    expect(decoded(framing, '10:0123456789,')).toHaveLength(10)
    const error = thrownBy(() => decoded(framing, '11'))
    expect(error).toBeInstanceOf(LimitOverrunError)
    expect(error).toMatchObject({ limit: 10, consumed: 2, found: false })
    expect(() => decoded(netstringFraming(), '9'.repeat(400))).toThrow(LimitOverrunError)
  })

  test('refuses to write a payload over the limit', () => {
    expect(() => netstringFraming({ maxBytes: 2 }).encode(Buffer.from('abc'))).toThrow(
      new RangeError('a netstring of 3 bytes is longer than the limit of 2'),
    )
  })
})

describe('ndjsonFraming()', () => {
  test('reads and writes a value a line', async () => {
    const framing = ndjsonFraming<{ x: number }>()
    const reader = endedReader(['{"x":1}\n{"x"', ':2}\r\n'])
    const values: number[] = []
    for await (const { x } of reader.frames(framing)) values.push(x)
    expect(values).toEqual([1, 2])
    expect(encoded(framing, { x: 1 })).toEqual(Buffer.from('{"x":1}\n'))
  })

  test('reads any JSON value but null', async () => {
    const reader = endedReader(['0\nfalse\n""\n[]\n"ä\\ud83d\\ude00"\n'])
    const values: unknown[] = []
    for await (const value of reader.frames(ndjsonFraming())) values.push(value)
    expect(values).toEqual([0, false, '', [], 'ä😀'])
  })

  test('skips blank lines, the last ones before the end too', async () => {
    const reader = endedReader(['\n \t\r\n1\n\n', '\n'])
    expect(await reader.readFrame(ndjsonFraming())).toBe(1)
    expect(await reader.readFrame(ndjsonFraming())).toBeNull()
  })

  test('is an IncompleteReadError for a last line without its LF, though it be JSON', async () => {
    const error = await rejection(endedReader(['12']).readFrame(ndjsonFraming()))
    expect(error).toBeInstanceOf(IncompleteReadError)
    expect(error).toMatchObject({ partial: Buffer.from('12') })
  })

  test.each([
    ['{', new ProtocolError('a line of 1 bytes is not JSON')],
    ['\ufeff1', new ProtocolError('a line of 4 bytes is not JSON')],
    [' null ', new ProtocolError('a line is a bare null, which is not a value here')],
    [hex('22 ff 22'), new DecodeError('a line of 3 bytes is not valid UTF-8', hex('22 ff 22'))],
  ])('%j is an error that consumes its line', (line, error) => {
    const reader = fedReader([line, '\n2\n'])
    expect(() => reader.tryReadFrame(ndjsonFraming())).toThrow(error)
    expect(reader.tryReadFrame(ndjsonFraming())).toBe(2)
  })

  test('has what was not JSON in the cause, and not in the message', () => {
    const error = thrownBy(() => decoded(ndjsonFraming(), 'secret\n')) as ProtocolError
    expect(error.message).not.toContain('secret')
    expect(error.cause).toBeInstanceOf(SyntaxError)
  })

  test('over the limit is a LimitOverrunError, and nothing is taken', () => {
    const framing = ndjsonFraming({ maxBytes: 4 })
    expect(decoded(framing, '1234\n')).toBe(1234)
    expect(thrownBy(() => decoded(framing, '12345'))).toMatchObject({ limit: 4, found: false })
    const reader = fedReader(['12345\n1\n'])
    expect(thrownBy(() => reader.tryReadFrame(framing))).toMatchObject({
      limit: 4,
      consumed: 6,
      found: true,
    })
    expect(reader.bufferedBytes).toBe(8)
  })

  test.each([
    [undefined, 'undefined'],
    [null, 'null'],
    [Number.NaN, 'NaN'],
    [() => 1, 'a function'],
    [{ toJSON: () => null }, 'an object'],
  ])('refuses to write %o, which is null in JSON or nothing', (value, words) => {
    expect(() => ndjsonFraming().encode(value)).toThrow(
      new TypeError(`the value of a frame must not be null in JSON, as ${words} is`),
    )
  })

  test('refuses to write a line over the limit', () => {
    expect(() => ndjsonFraming({ maxBytes: 4 }).encode('äöü')).toThrow(
      new RangeError('a line of JSON of 8 bytes is longer than the limit of 4'),
    )
  })
})

describe('a framing of the kit', () => {
  test.each([
    ['lines', lineFraming({ limit: 10 }), 'x'.repeat(10) + '\r\n'],
    ['separated', separatorFraming('----', { maxBytes: 10 }), 'x'.repeat(10) + '----'],
    [
      'counted',
      lengthPrefixFraming({ bytes: 4, endian: 'big', maxBytes: 10 }),
      '\0\0\0\n0123456789',
    ],
    ['netstrings', netstringFraming({ maxBytes: 10 }), '10:0123456789,'],
    ['ndjson', ndjsonFraming({ maxBytes: 10 }), '1234567890\n'],
  ] as [string, Framing<unknown>, string][])(
    '%s: lets the reader hold its longest frame, and no more',
    async (_, framing, frame) => {
      expect(framing.maxBytes).toBe(frame.length)
      const reader = fedReader([])
      const read = reader.readFrame(framing)
      for (const character of frame) feed(reader, character)
      expect(await read).toBeDefined()
      expect(reader.bufferedBytes).toBe(0)
    },
  )
})
