import type { ByteStream } from '../../../src/testing/index.js'
import { forever, mutateReader, mutateWriter, replace, rescue, type Mutant } from './mutant.js'

/** A stream whose own members differ, not those of its halves. */
const mutateStream =
  (change: (stream: ByteStream) => Partial<ByteStream>): Mutant['mutate'] =>
  (stream) =>
    replace(stream, change(stream))

export const endingMutants: readonly Mutant[] = [
  {
    name: 'close() drops what was not sent yet',
    breaks: [
      'close() delivers what was written',
      'close() delivers what waits, to a peer that reads late',
    ],
    mutate: mutateStream((stream) => ({
      async close() {
        stream.abort()
        await stream.closed
      },
    })),
  },
  {
    name: 'close() cuts as soon as all is sent: no lingering',
    breaks: ['close() with unread input loses no answer'],
    mutate: mutateStream((stream) => ({
      async close() {
        await stream.writer.flush().catch(() => {})
        stream.abort()
      },
    })),
  },
  {
    name: 'a second close() rejects',
    breaks: ['close() never rejects, and any number of calls end once'],
    mutate: mutateStream((stream) => {
      let wasCalled = false
      return {
        async close() {
          if (wasCalled) throw new Error('closed already')
          wasCalled = true
          await stream.close()
        },
      }
    }),
  },
  {
    name: 'close() rejects after a cut',
    breaks: ['close() never rejects after a cut, on either end'],
    mutate: mutateStream((stream) => ({
      async close() {
        stream.signal.throwIfAborted()
        await stream.close()
      },
    })),
  },
  {
    name: 'waitClosed() resolves as soon as it is asked',
    breaks: ['waitClosed() resolves after a clean end, for each who waits'],
    mutate: mutateWriter(() => ({ waitClosed: async () => {} })),
  },
  {
    name: 'a read that waits hangs when we close',
    breaks: ['a read that waits is rejected by close() and by abort()'],
    mutate: mutateReader((reader) => ({
      readLine: async (options) =>
        rescue(reader.readLine(options), 'ERR_STANDPIPE_CLOSED', () => forever<null>()),
    })),
  },
  {
    name: 'abort() is close()',
    breaks: ['abort() ends the stream, and the peer learns of it'],
    mutate: mutateStream((stream) => ({
      abort() {
        void stream.close()
      },
    })),
  },
  {
    name: 'the last reason of an abort() stays',
    breaks: ['abort() twice, or after close(), is once, and the first reason stays'],
    mutate: mutateStream((stream) => {
      const controller = new AbortController()
      let reason: unknown
      return {
        abort(given) {
          reason = given
          stream.abort(given)
          setImmediate(() => controller.abort(reason))
        },
        get signal() {
          return stream.signal.aborted ? controller.signal : stream.signal
        },
      }
    }),
  },
  {
    name: 'an error throws away what arrived before it',
    breaks: ['data that arrived comes before the error, and then every read has that error'],
    mutate: mutateReader((reader, stream) => ({
      async readLine(options) {
        stream.signal.throwIfAborted()
        return reader.readLine(options)
      },
    })),
  },
  {
    name: 'each read after the end has another error',
    breaks: ['data that arrived comes before the error, and then every read has that error'],
    mutate: mutateReader((reader) => ({
      readLine: async (options) =>
        rescue(reader.readLine(options), 'ERR_STANDPIPE_RESET', (error) => {
          throw Object.assign(new Error(error.message), { code: error.code })
        }),
    })),
  },
  {
    name: 'the signal fires when the peer ends its half',
    breaks: ['the signal does not fire when the peer ends its half, nor at a clean end'],
    mutate(stream) {
      const controller = new AbortController()
      return replace(stream, {
        reader: replace(stream.reader, {
          async read(maxBytes, options) {
            const chunk = await stream.reader.read(maxBytes, options)
            if (chunk === null) controller.abort()
            return chunk
          },
        }),
        get signal() {
          return AbortSignal.any([stream.signal, controller.signal])
        },
      })
    },
  },
  {
    name: 'the signal never fires',
    breaks: ['the signal fires on our abort() at once, and on a reset by the peer'],
    mutate: mutateStream(() => ({ signal: new AbortController().signal })),
  },
  {
    name: 'closed counts no bytes',
    breaks: ['closed resolves with the reason and the counts'],
    mutate: mutateStream((stream) => ({
      get closed() {
        return stream.closed.then((end) => ({ ...end, bytesRead: 0, bytesWritten: 0 }))
      },
    })),
  },
  {
    name: 'a stream that has ended both ways waits for its close()',
    breaks: ['a stream whose two halves have ended is closed, without close()'],
    mutate(stream) {
      let release: (() => void) | undefined
      const ended = new Promise<void>((resolve) => (release = resolve))
      return replace(stream, {
        async close() {
          release?.()
          await stream.close()
        },
        abort(reason) {
          release?.()
          stream.abort(reason)
        },
        get closed() {
          return ended.then(async () => stream.closed)
        },
      })
    },
  },
]
