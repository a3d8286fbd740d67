import { loopTurns } from '../../../src/testing/fake-clock.js'
import { forever, mutateWriter, replace, rescue, type Mutant } from './mutant.js'

const ignoreCode =
  (code: string) =>
  (call: () => unknown): void => {
    try {
      call()
    } catch (error) {
      if ((error as { code?: string }).code !== code) throw error
    }
  }

export const writingMutants: readonly Mutant[] = [
  {
    name: 'binary data is not copied',
    breaks: ['write() copies small binary data', 'small binary data that waits is a copy'],
    mutate: mutateWriter((writer) => ({
      write(data) {
        if (data.length !== 6) writer.write(data)
        else void writer.flush().then(() => writer.write(data))
      },
    })),
  },
  {
    name: 'drain() always waits for the kernel',
    breaks: ['drain() under the mark resolves at once'],
    mutate: mutateWriter((writer) => ({
      async drain(options) {
        await loopTurns(3)
        await writer.drain(options)
      },
    })),
  },
  {
    name: 'drain() never waits',
    breaks: ['drain() waits while the peer does not read, and resolves when it does'],
    mutate: mutateWriter(() => ({ drain: async () => {} })),
  },
  {
    name: 'flush() is drain()',
    breaks: ['flush() means that nothing is left here'],
    mutate: mutateWriter((writer) => ({ flush: async (options) => writer.drain(options) })),
  },
  {
    name: 'flush() does not wait while the peer does not read',
    breaks: ['flush() waits for the kernel'],
    mutate: mutateWriter((writer) => ({
      async flush(options) {
        await Promise.race([writer.flush(options), loopTurns(5)])
      },
    })),
  },
  {
    name: 'bufferedBytes counts characters',
    breaks: ['bufferedBytes counts bytes, not characters'],
    mutate: mutateWriter((writer) => {
      let surplus = 0
      return {
        write(data) {
          if (typeof data === 'string') surplus += Buffer.byteLength(data) - data.length
          writer.write(data)
        },
        get bufferedBytes() {
          return Math.max(0, writer.bufferedBytes - surplus)
        },
      }
    }),
  },
  {
    name: 'a write after the end is ignored in silence',
    breaks: [
      'write() after writeEof() throws, and a second writeEof() does nothing',
      'write() after close() throws',
    ],
    mutate: mutateWriter((writer) => ({
      write(data) {
        ignoreCode('ERR_STANDPIPE_CLOSED')(() => writer.write(data))
      },
    })),
  },
  {
    name: 'a write to a lost peer is ignored in silence',
    breaks: ['write() to a peer that is lost throws a typed error, and never raises an event'],
    mutate: mutateWriter((writer) => ({
      write(data) {
        ignoreCode('ERR_STANDPIPE_RESET')(() => writer.write(data))
      },
    })),
  },
  {
    name: 'no reads while a drain() waits: half-duplex',
    breaks: ['large transfers both ways at once come to their end'],
    mutate(stream) {
      const waiting = { drains: 0 }
      return replace(stream, {
        reader: replace(stream.reader, {
          async read(maxBytes, options) {
            while (waiting.drains > 0) await loopTurns(1)
            return stream.reader.read(maxBytes, options)
          },
        }),
        writer: replace(stream.writer, {
          async drain(options) {
            waiting.drains++
            await stream.writer.drain(options).finally(() => waiting.drains--)
          },
        }),
      })
    },
  },
  {
    name: 'a write larger than the cap is refused',
    breaks: ['one write of any size is taken, and arrives whole'],
    mutate: mutateWriter((writer) => ({
      write(data) {
        if (data.length > 1024 * 1024) throw new RangeError('too much at once')
        writer.write(data)
      },
    })),
  },
  {
    name: 'one drain() is released, the others are forgotten',
    breaks: ['every drain() that waits is released, not only the first'],
    mutate: mutateWriter((writer) => {
      let waiting = 0
      return {
        async drain(options) {
          if (options !== undefined) return writer.drain(options)
          waiting++
          await writer.drain()
          return waiting-- > 3 ? forever() : undefined
        },
      }
    }),
  },
  {
    name: 'a write over the cap is dropped in silence',
    breaks: ['write() over the cap throws, and what was taken arrives whole'],
    mutate: mutateWriter((writer) => ({
      write(data) {
        ignoreCode('ERR_STANDPIPE_SLOW_CONSUMER')(() => writer.write(data))
      },
    })),
  },
  {
    name: 'a write over the cap throws, and half of it is sent',
    breaks: ['write() over the cap throws, and what was taken arrives whole'],
    mutate: mutateWriter((writer) => ({
      write(data) {
        if (writer.bufferedBytes >= 900_000) writer.write(data.slice(0, data.length / 2))
        writer.write(data)
      },
    })),
  },
  {
    name: 'an aborted drain() aborts the stream',
    breaks: ['an aborted drain() leaves the others waiting, and the bytes on their way'],
    mutate: mutateWriter((writer, stream) => ({
      async drain(options) {
        options?.signal?.addEventListener('abort', () => stream.abort(), { once: true })
        return writer.drain(options)
      },
    })),
  },
  {
    name: 'drain() has no time of its own',
    breaks: ['a drain() out of time is a TimeoutError, and the bytes stay on their way'],
    mutate: mutateWriter((writer) => ({
      drain: async (options) => writer.drain({ signal: options?.signal }),
    })),
  },
  {
    name: 'drain() resolves on a broken stream, as in asyncio',
    breaks: [
      'abort() rejects a drain() that waits, within a turn',
      'close() rejects a drain() that waits, within a turn',
      'a drain() that waits is rejected when the peer is lost',
    ],
    mutate: mutateWriter((writer, stream) => ({
      async drain(options) {
        try {
          await writer.drain(options)
        } catch (error) {
          if (!stream.signal.aborted && !writer.isClosing) throw error
        }
      },
    })),
  },
  {
    name: 'drain() hangs after a local end, as on a Node stream',
    breaks: [
      'abort() rejects a drain() that waits, within a turn',
      'close() rejects a drain() that waits, within a turn',
    ],
    mutate: mutateWriter((writer) => ({
      drain: async (options) =>
        rescue(writer.drain(options), 'ERR_STANDPIPE_CLOSED', () => forever<void>()),
    })),
  },
]
