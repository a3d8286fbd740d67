/**
 * What CPython checks of its own streams (Lib/test/test_asyncio/test_streams.py, 3.13), test by test and by its
 * names, for ours. First what is the same, then what differs on purpose, each with its reason.
 *
 * What has no counterpart here:
 * - the loop that a reader is made on or finds (`streamreader_constructor_*`, `streamreaderprotocol_constructor_*`):
 *   there is one loop;
 * - `del_stream_before_sock_closing`, `del_stream_before_connection_making`: nothing is tied to a finalizer;
 * - `IncompleteReadError_pickleable`, `LimitOverrunError_pickleable`: errors are not pickled; what they carry is
 *   tested with the reads that throw them;
 * - `__repr__*`: a reader prints as any object;
 * - `open_connection_no_loop_ssl`, `open_unix_connection_no_loop_ssl`, `start_tls`: with TLS.
 */
import { setImmediate } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openConnection } from '../../src/client/open-connection.js'
import {
  BrokenError,
  BusyError,
  ClosedError,
  ConnectError,
  IncompleteReadError,
  LimitOverrunError,
} from '../../src/errors.js'
import type { Connection } from '../../src/protocol/connection.js'
import type { Handler } from '../../src/protocol/handler.js'
import { StreamReader } from '../../src/protocol/stream-reader.js'
import type { ServerOptions } from '../../src/server/start-server.js'
import { connectionPair } from '../../src/testing/connection-pair.js'
import { attachHost, endedReader, fedReader, feed } from '../support/fed-reader.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { RecordingLogger } from '../support/recording-logger.js'
import { serve } from '../support/serve.js'
import { rejection, watch } from '../support/settled.js'
import { temporaryFolder } from '../support/wire.js'

guardAgainstLeaks()

const DATA = 'line1\nline2\nline3\n'

/** Serves with the handler, on a free port unless told otherwise, and connects to it. */
async function connectTo(handler: Handler, options: ServerOptions = {}): Promise<Connection> {
  const server = await serve(handler, options)
  const connection = await openConnection({ ...server.address, logger: false })
  onTestFinished(async () => {
    connection.abort()
    await connection.closed
  })
  return connection
}

/** Answers a line with a page of two lines, as the test server of asyncio's tests does. */
const page: Handler = async ({ reader, writer }) => {
  await reader.readLine()
  writer.write('HTTP/1.0 200 OK\r\n\r\nTest message')
}

describe('as in asyncio', () => {
  test('open_connection: a line, the rest, and a close', async () => {
    const connection = await connectTo(page)
    connection.writer.write('GET / HTTP/1.0\r\n\r\n')
    expect(await connection.reader.readLine()).toBe('HTTP/1.0 200 OK')
    expect((await connection.reader.readAll()).toString()).toBe('\r\nTest message')
    await connection.close()
  })

  test('open_unix_connection: the same over a Unix socket', async () => {
    const connection = await connectTo(page, { path: `${await temporaryFolder()}/s` })
    connection.writer.write('GET / HTTP/1.0\r\n\r\n')
    expect(await connection.reader.readLine()).toBe('HTTP/1.0 200 OK')
    expect((await connection.reader.readAll()).toString()).toBe('\r\nTest message')
    await connection.close()
  })

  test('open_connection_error: an address that refuses is an error of the call', async () => {
    const server = await serve(() => {})
    await server.stop()
    expect(await rejection(openConnection({ ...server.address }))).toBeInstanceOf(ConnectError)
  })

  test('open_unix_connection_error: and a path without a server', async () => {
    const path = `${await temporaryFolder()}/nobody`
    expect(await rejection(openConnection({ path }))).toBeInstanceOf(ConnectError)
  })

  test('feed_empty_data: nothing fed is nothing stored', () => {
    expect(fedReader(['']).bufferedBytes).toBe(0)
  })

  test('feed_nonempty_data: what is fed is stored', async () => {
    const reader = fedReader([DATA])
    expect(reader.bufferedBytes).toBe(DATA.length)
    expect((await reader.read())?.toString()).toBe(DATA)
  })

  test('read_zero: read(0) gives no bytes, at once, and takes none', async () => {
    const reader = fedReader([DATA])
    expect(await reader.read(0)).toEqual(Buffer.alloc(0))
    expect(reader.bufferedBytes).toBe(DATA.length)
  })

  test('read: waits for data, and gives what has come', async () => {
    const reader = new StreamReader()
    const read = reader.read(30)
    feed(reader, DATA)
    expect((await read)?.toString()).toBe(DATA)
    expect(reader.bufferedBytes).toBe(0)
  })

  test('read_line_breaks: read(n) does not care for lines', async () => {
    const reader = fedReader(['line1', 'line2'])
    expect((await reader.read(5))?.toString()).toBe('line1')
    expect(reader.bufferedBytes).toBe(5)
  })

  test('read_until_eof: everything up to the end, in one piece', async () => {
    const reader = new StreamReader()
    const all = reader.readAll()
    feed(reader, 'chunk1\n', 'chunk2')
    reader.feedEof()
    expect((await all).toString()).toBe('chunk1\nchunk2')
  })

  test('invalid_limit: refused when the reader is made', () => {
    expect(() => new StreamReader({ limit: 0 })).toThrow(/limit/)
    expect(() => new StreamReader({ limit: -1 })).toThrow(/limit/)
  })

  test('read_limit: the limit is none for read()', async () => {
    const reader = fedReader(['chunk'], { limit: 3 })
    expect((await reader.read(5))?.toString()).toBe('chunk')
    expect(reader.bufferedBytes).toBe(0)
  })

  test('readline: a line that comes in pieces, and what follows it stays', async () => {
    const reader = fedReader(['chunk1 '])
    const line = reader.readLine()
    feed(reader, 'chunk2 ', 'chunk3 ', '\n chunk4')
    expect(await line).toBe('chunk1 chunk2 chunk3 ')
    expect(reader.bufferedBytes).toBe(' chunk4'.length)
  })

  test('readline_limit: an error, and the line behind the long one stays', async () => {
    const reader = endedReader(['chunk1', 'chunk2\n', 'chunk3\n'], { limit: 7 })
    expect(await rejection(reader.readLine())).toBeInstanceOf(LimitOverrunError)
    expect(await reader.readLine()).toBe('chunk3')
    expect(reader.bufferedBytes).toBe(0)
  })

  test('readline_limit: as many bytes as the limit fit, one more does not', async () => {
    const reader = fedReader(['1234567\n', '12345678\n', '12345678'], { limit: 7 })
    expect(await reader.readLine()).toBe('1234567')
    expect(await rejection(reader.readLine())).toBeInstanceOf(LimitOverrunError)
    expect(await rejection(reader.readLine())).toBeInstanceOf(LimitOverrunError)
  })

  test('readline_nolimit_nowait: a line that is there comes without waiting', async () => {
    const reader = fedReader([DATA.slice(0, 6), DATA.slice(6)])
    expect(await reader.readLine()).toBe('line1')
    expect(reader.bufferedBytes).toBe('line2\nline3\n'.length)
  })

  test('readline_read_byte_count: read() after readline() goes on behind the line', async () => {
    const reader = fedReader([DATA])
    await reader.readLine()
    expect((await reader.read(7))?.toString()).toBe('line2\nl')
    expect((await reader.read())?.toString()).toBe('ine3\n')
  })

  test('readline_exception: an error that was set is that of the next read', async () => {
    const reader = fedReader(['line\n'])
    expect(await reader.readLine()).toBe('line')
    const error = new Error('set')
    reader.setError(error)
    expect(await rejection(reader.readLine())).toBe(error)
    expect(reader.bufferedBytes).toBe(0)
  })

  test('readuntil_separator: an empty one is refused', async () => {
    expect(await rejection(new StreamReader().readUntil(''))).toBeInstanceOf(RangeError)
  })

  test('readuntil_multi_chunks: a separator of several bytes, wherever it is cut', async () => {
    const reader = fedReader(['lineAAA'])
    expect((await reader.readUntil('AAA'))?.toString()).toBe('lineAAA')
    expect(reader.bufferedBytes).toBe(0)
    feed(reader, 'lineAAA')
    expect((await reader.readUntil('AAA'))?.toString()).toBe('lineAAA')
    feed(reader, 'lineAAAxxx')
    expect((await reader.readUntil('AAA'))?.toString()).toBe('lineAAA')
    expect((await reader.read())?.toString()).toBe('xxx')
  })

  test('readuntil_multi_chunks_1: pieces of it that are none do not mislead', async () => {
    for (const [chunks, whole] of [
      [['QWEaa', 'XYaa', 'a'], 'QWEaaXYaaa'],
      [['QWEaa', 'XYa', 'aa'], 'QWEaaXYaaa'],
      [['aaa'], 'aaa'],
      [['Xaaa'], 'Xaaa'],
      [['XXX', 'a', 'a', 'a'], 'XXXaaa'],
    ] as const) {
      const reader = new StreamReader()
      const read = reader.readUntil('aaa')
      feed(reader, ...chunks)
      expect((await read)?.toString()).toBe(whole)
      expect(reader.bufferedBytes).toBe(0)
    }
  })

  test('readuntil_eof: what there was comes with the error, and is consumed', async () => {
    const reader = endedReader(['some dataAA'])
    const error = await rejection(reader.readUntil('AAA'))
    expect(error).toBeInstanceOf(IncompleteReadError)
    expect(error).toMatchObject({ partial: Buffer.from('some dataAA'), expected: undefined })
    expect(reader.bufferedBytes).toBe(0)
  })

  test('readuntil_limit_found_sep: over the limit the bytes stay, and the error says what was seen', async () => {
    const reader = fedReader(['some dataAA'], { limit: 3 })
    const before = await rejection(reader.readUntil('AAA'))
    expect(before).toBeInstanceOf(LimitOverrunError)
    expect(before).toMatchObject({ found: false })
    expect(reader.bufferedBytes).toBe('some dataAA'.length)
    feed(reader, 'A')
    const after = await rejection(reader.readUntil('AAA'))
    expect(after).toMatchObject({ found: true, consumed: 'some data'.length })
    expect(reader.bufferedBytes).toBe('some dataAAA'.length)
  })

  test('readuntil_multi_separator: the one whose match ends first', async () => {
    const reader = fedReader(['line 1\nline 2\r'])
    expect((await reader.readUntil(['\r', '\n']))?.toString()).toBe('line 1\n')
    expect((await reader.readUntil(['\r', '\n']))?.toString()).toBe('line 2\r')
    feed(reader, 'ABCDEFG')
    expect((await reader.readUntil(['DEF', 'BCDE']))?.toString()).toBe('ABCDE')
    expect((await reader.read())?.toString()).toBe('FG')
  })

  test('readuntil_multi_separator_limit: over the limit the bytes stay', async () => {
    const reader = fedReader(['some dataA'], { limit: 3 })
    const error = await rejection(reader.readUntil(['A', 'ome dataA']))
    expect(error).toMatchObject({ code: 'ERR_STANDPIPE_LIMIT_OVERRUN', found: true })
    expect(reader.bufferedBytes).toBe('some dataA'.length)
  })

  test('readuntil_multi_separator_negative_offset: a long separator hides no short one', async () => {
    const reader = fedReader(['data'])
    const read = reader.readUntil(['A', 'long sep'])
    feed(reader, 'Z', 'Aaaa')
    expect((await read)?.toString()).toBe('dataZA')
    expect((await reader.read())?.toString()).toBe('aaa')
  })

  test('readuntil_bytearray: bytes as separators', async () => {
    const reader = fedReader(['some data\r\n'])
    const separator = new Uint8Array([13, 10])
    expect((await reader.readUntil(separator))?.toString()).toBe('some data\r\n')
  })

  test('readuntil_invalid_separator: no separator, or an empty one among others, is refused', async () => {
    for (const none of [[], [''], ['a', '']]) {
      expect(await rejection(new StreamReader().readUntil(none))).toBeInstanceOf(RangeError)
    }
  })

  test('readexactly_zero_or_less: 0 gives no bytes, less is refused', async () => {
    const reader = fedReader([DATA])
    expect(await reader.readExactly(0)).toEqual(Buffer.alloc(0))
    expect(await rejection(reader.readExactly(-1))).toBeInstanceOf(RangeError)
    expect(reader.bufferedBytes).toBe(DATA.length)
  })

  test('readexactly: waits for all, and leaves the rest', async () => {
    const reader = new StreamReader()
    const read = reader.readExactly(2 * DATA.length)
    feed(reader, DATA, DATA, DATA)
    expect((await read).toString()).toBe(DATA + DATA)
    expect(reader.bufferedBytes).toBe(DATA.length)
  })

  test('readexactly_limit: the limit is none for it', async () => {
    const reader = fedReader(['chunk'], { limit: 3 })
    expect((await reader.readExactly(5)).toString()).toBe('chunk')
  })

  test('readexactly_eof: the error has what there was, how much was wanted, and says both', async () => {
    const reader = new StreamReader()
    const read = rejection(reader.readExactly(2 * DATA.length))
    feed(reader, DATA)
    reader.feedEof()
    const error = await read
    expect(error).toBeInstanceOf(IncompleteReadError)
    expect(error).toMatchObject({ partial: Buffer.from(DATA), expected: 36 })
    expect((error as Error).message).toBe(
      'the input ended after 18 bytes of 36 bytes (readExactly)',
    )
    expect(reader.bufferedBytes).toBe(0)
  })

  test('readexactly_exception: an error that was set is that of the read', async () => {
    const reader = fedReader(['line\n'])
    expect((await reader.readExactly(2)).toString()).toBe('li')
    const error = new Error('set')
    reader.setError(error)
    expect(await rejection(reader.readExactly(20))).toBe(error)
  })

  test('at_eof: only when the end was fed and all is taken', async () => {
    const reader = new StreamReader()
    expect(reader.atEof).toBe(false)
    feed(reader, 'some data\n')
    expect(reader.atEof).toBe(false)
    await reader.readLine()
    expect(reader.atEof).toBe(false)
    feed(reader, 'some data\n')
    reader.feedEof()
    expect(reader.atEof).toBe(false)
    await reader.readLine()
    expect(reader.atEof).toBe(true)
  })

  test('exception_waiter: an error that is set rejects the read that waits', async () => {
    const reader = new StreamReader()
    const read = rejection(reader.readLine())
    const error = new Error('set')
    reader.setError(error)
    expect(await read).toBe(error)
  })

  test('exception_cancel: an error that is set after the waiting read was aborted does no harm', async () => {
    const reader = new StreamReader()
    const abort = new AbortController()
    const read = rejection(reader.readLine({ signal: abort.signal }))
    abort.abort()
    await read
    reader.setError(new Error('set'))
    expect(reader.bufferedBytes).toBe(0)
  })

  test('streamreader pause and resume: above twice the limit, and at the limit again', async () => {
    const reader = new StreamReader({ limit: 5 })
    const host = attachHost(reader)
    feed(reader, '0123456789')
    expect(host.calls).toEqual([])
    feed(reader, '0')
    expect(host.calls).toEqual(['pause'])
    await reader.readExactly(5)
    expect(host.calls).toEqual(['pause'])
    await reader.readExactly(1)
    expect(host.calls).toEqual(['pause', 'resume'])
  })

  test('wait_for_data while paused: a read that waits for more resumes the source', async () => {
    const reader = new StreamReader({ limit: 5 })
    const host = attachHost(reader)
    feed(reader, '0123456789a')
    const read = reader.readExactly(20)
    expect(host.calls).toEqual(['pause', 'resume'])
    feed(reader, '012345678')
    expect(await read).toHaveLength(20)
  })

  test('wait_for_data: a second read while one waits is an error at once', async () => {
    const reader = new StreamReader()
    const first = reader.readLine()
    expect(await rejection(reader.readLine())).toBeInstanceOf(BusyError)
    feed(reader, 'line\n')
    expect(await first).toBe('line')
  })

  test('start_server: a client gets its answer, from a handler that waits or one that does not', async () => {
    const handlers: Handler[] = [
      async ({ reader, writer }) => {
        writer.write((await reader.readLine()) ?? 'nothing')
      },
      ({ reader, writer }) =>
        reader.readLine().then((line) => {
          writer.write(line ?? 'nothing')
        }),
    ]
    for (const handler of handlers) {
      const connection = await connectTo(handler)
      connection.writer.write('hello world!\n')
      expect((await connection.reader.readAll()).toString()).toBe('hello world!')
    }
  })

  test('start_unix_server: the same over a Unix socket', async () => {
    const path = `${await temporaryFolder()}/s`
    const connection = await connectTo(
      async ({ reader, writer }) => {
        writer.write((await reader.readLine()) ?? 'nothing')
      },
      { path },
    )
    connection.writer.write('hello world!\n')
    expect((await connection.reader.readAll()).toString()).toBe('hello world!')
  })

  test('multiple_drain: any number of drains wait at once, and all come back', async () => {
    await using pair = connectionPair({ transport: { clogged: true } })
    const { client, clientTransport } = pair
    client.writer.write(Buffer.alloc(100_000))
    const drains = [1, 2, 3].map(() => watch(client.writer.drain()))
    await setImmediate()
    expect(drains.map((drain) => drain.state)).toEqual(['pending', 'pending', 'pending'])
    clientTransport.unclog()
    pair.server.reader.readAll().catch(() => {})
    await Promise.all(drains.map((drain) => drain.promise))
  })

  test('drain_raises: with the connection gone, drain() rejects', async () => {
    await using pair = connectionPair()
    pair.client.writer.write('last words')
    pair.client.abort(new BrokenError('gone'))
    expect(await rejection(pair.client.writer.drain())).toBeInstanceOf(BrokenError)
  })

  test('wait_closed_on_close: is_closing() from close() on, and wait_closed() comes back', async () => {
    const connection = await connectTo(page)
    connection.writer.write('GET / HTTP/1.0\r\n\r\n')
    await connection.reader.readAll()
    expect(connection.writer.isClosing).toBe(false)
    void connection.writer.close()
    expect(connection.writer.isClosing).toBe(true)
    await connection.writer.waitClosed()
  })

  test('wait_closed_on_close_with_unread_data: though not all was read', async () => {
    const connection = await connectTo(page)
    connection.writer.write('GET / HTTP/1.0\r\n\r\n')
    expect(await connection.reader.readLine()).toBe('HTTP/1.0 200 OK')
    void connection.writer.close()
    await expect(connection.writer.waitClosed()).resolves.toBeUndefined()
  })

  test('async_writer_api: write, drain, close, each awaited in turn', async () => {
    const connection = await connectTo(page)
    connection.writer.write('GET / HTTP/1.0\r\n\r\n')
    await connection.writer.drain()
    expect(await connection.reader.readLine()).toBe('HTTP/1.0 200 OK')
    await connection.writer.close()
    expect(connection.state).toBe('closed')
  })

  test('readline in `async for`: the lines up to the end', async () => {
    const lines: string[] = []
    for await (const line of endedReader([DATA])) lines.push(line)
    expect(lines).toEqual(['line1', 'line2', 'line3'])
  })
})

describe('unlike asyncio, on purpose', () => {
  // One value for the end, which no data can be; and a blank line is not mistaken for it.
  test('read_eof, readline_empty_eof: the end of input is null, not an empty value', async () => {
    expect(await endedReader([]).read(1024)).toBeNull()
    expect(await endedReader([]).readLine()).toBeNull()
    expect(await endedReader(['\n']).readLine()).toBe('')
  })

  // The same as every other read; an end between two messages is no fault.
  test('readuntil_eof: with no byte left it is null, not an error', async () => {
    expect(await endedReader([]).readUntil('AAA')).toBeNull()
  })

  // Since the terminator is not on the line, a caller could not tell a cut command from a whole one.
  test('readline_eof: a last line without terminator is an error with its bytes, or asked for', async () => {
    const error = await rejection(endedReader(['some data']).readLine())
    expect(error).toBeInstanceOf(IncompleteReadError)
    expect(error).toMatchObject({ partial: Buffer.from('some data') })
    expect(await endedReader(['some data']).readLine({ partial: 'yield' })).toBe('some data')
  })

  // A line is text without its terminator: what nine of ten callers make of it. `keepTerminator` and `encoding`
  // give asyncio's.
  test('readline: text without its LF or CRLF', async () => {
    expect(await fedReader(['line\r\n']).readLine()).toBe('line')
    const asBytes = { encoding: 'buffer', keepTerminator: true } as const
    expect(await fedReader(['line\r\n']).readLine(asBytes)).toEqual(Buffer.from('line\r\n'))
  })

  // What the peer sent before it went was sent in good faith: a reply that arrived is not lost to the reset behind it.
  test('read_exception: bytes that arrived come before the error that followed them', async () => {
    const reader = fedReader(['line\n'])
    expect((await reader.read(2))?.toString()).toBe('li')
    const error = new Error('set')
    reader.setError(error)
    expect((await reader.read(2))?.toString()).toBe('ne')
    expect((await reader.read(2))?.toString()).toBe('\n')
    expect(await rejection(reader.read(2))).toBe(error)
  })

  // asyncio clears its buffer, and the rest of the long line is then taken for a line of its own.
  test('readline_limit_with_existing_data: the rest of an over-long line is thrown away, up to its end', async () => {
    const reader = fedReader(['li', 'ne1\nline2\n'], { limit: 3 })
    expect(await rejection(reader.readLine())).toBeInstanceOf(LimitOverrunError)
    expect(await rejection(reader.readLine())).toBeInstanceOf(LimitOverrunError)
    expect(reader.bufferedBytes).toBe(0)

    const unfinished = fedReader(['li', 'ne1', 'li'], { limit: 3 })
    expect(await rejection(unfinished.readLine())).toBeInstanceOf(LimitOverrunError)
    feed(unfinished, 'ke a line\nok\n')
    expect(await unfinished.readLine()).toBe('ok')
  })

  // A limit on lines alone would let a peer fill the memory: `maxBytes` says how much is wanted.
  test('read_until_eof: has a cap', async () => {
    const error = await rejection(fedReader(['chunk']).readAll({ maxBytes: 3 }))
    expect(error).toBeInstanceOf(LimitOverrunError)
  })

  // One way to learn of an error, the next read; a state to ask for would be forgotten.
  test('exception: there is no such accessor, each read gives the error', async () => {
    const error = new Error('set')
    const reader = new StreamReader()
    expect('exception' in reader).toBe(false)
    reader.setError(error)
    expect(await rejection(reader.read())).toBe(error)
    expect(await rejection(reader.readLine())).toBe(error)
  })

  // After an end nothing can break any more that a read could tell of.
  test('exception: one that is set after the end of input changes nothing', async () => {
    const reader = endedReader(['x'])
    reader.setError(new Error('late'))
    expect((await reader.readAll()).toString()).toBe('x')
  })

  // asyncio waits for the next drain() to say so, which a writer that only writes never calls.
  test('async_writer_api_exception_after_close: the write itself throws', async () => {
    const connection = await connectTo(page)
    void connection.writer.close()
    expect(() => connection.writer.write('data')).toThrow(ClosedError)
    await connection.closed
  })

  // An end of input says that the peer ended; here we did, and a reader that waits should know it.
  test('eof_feed_when_closing_writer: a read after our own close is a ClosedError, not an end', async () => {
    const connection = await connectTo(page)
    const waiting = rejection(connection.reader.readLine())
    void connection.writer.close()
    expect(await waiting).toBeInstanceOf(ClosedError)
    await connection.writer.waitClosed()
    expect(await rejection(connection.reader.read())).toBeInstanceOf(ClosedError)
    expect(connection.reader.atEof).toBe(false)
  })

  // A fault of one handler is told once, with its connection, and ends that connection alone.
  test('unhandled_exceptions: what a handler throws goes to the logger, and its connection is aborted', async () => {
    const logger = new RecordingLogger()
    const fault = new Error('the handler is wrong')
    const connection = await connectTo(
      async ({ reader }) => {
        await reader.readLine()
        throw fault
      },
      { logger },
    )
    connection.writer.write('x\n')
    expect(await rejection(connection.reader.read())).toBeInstanceOf(BrokenError)
    const faults = logger.records.filter(({ level }) => level === 'error')
    expect(faults.map(({ fields }) => fields['err'])).toEqual([fault])
  })

  // There is no cancelling from outside; a handler that stops at its connection's signal is no fault.
  test('unhandled_cancel: a handler that ends with the reason of its own abort is not told as a fault', async () => {
    const logger = new RecordingLogger()
    const connection = await connectTo(
      async (inbound) => {
        const reason = new Error('enough')
        const { signal } = inbound
        void setImmediate().then(() => inbound.abort(reason))
        await inbound.reader.readLine({ signal })
      },
      { logger },
    )
    await rejection(connection.reader.read())
    expect(logger.records.filter(({ level }) => level === 'error')).toEqual([])
  })
})
