import {
  forever,
  mutateReader,
  mutateWriter,
  replace,
  rescue,
  writeLater,
  type Mutant,
} from './mutant.js'

export const readingMutants: readonly Mutant[] = [
  {
    name: 'a short write is overtaken by the next one',
    breaks: ['bytes arrive whole and in order'],
    mutate: mutateWriter((writer) => ({
      write(data) {
        if (data.length === 2) writeLater(writer, data)
        else writer.write(data)
      },
    })),
  },
  {
    name: 'text overtakes the binary data before it',
    breaks: ['the writes of one turn keep their order, text and binary'],
    mutate: mutateWriter((writer) => ({
      write(data) {
        if (typeof data === 'string' || data.length < 1_000) writer.write(data)
        else writeLater(writer, data)
      },
    })),
  },
  {
    name: 'each received chunk is decoded by itself',
    breaks: ['reads do not depend on how the bytes were cut'],
    mutate: mutateReader((reader) => ({
      async readUntil(separator, options) {
        let text = ''
        while (!text.endsWith(String(separator))) {
          const byte = await reader.read(1, options)
          if (byte === null) return text === '' ? null : Buffer.from(text)
          text += byte.toString()
        }
        return Buffer.from(text)
      },
    })),
  },
  {
    name: 'a write of nothing ends the half',
    breaks: ['a write of nothing is neither data nor an end'],
    mutate: mutateWriter((writer) => ({
      write(data) {
        if (data.length === 0) writer.writeEof()
        else writer.write(data)
      },
    })),
  },
  {
    name: 'read(0) gives null',
    breaks: ['a read of 0 bytes gives 0 bytes at once, and is no end'],
    mutate: mutateReader((reader) => ({
      async read(maxBytes, options) {
        return maxBytes === 0 ? null : reader.read(maxBytes, options)
      },
    })),
  },
  {
    name: 'read(n) takes n for a hint',
    breaks: ['read(n) gives at least one byte and at most n'],
    mutate: mutateReader((reader) => ({
      async read(maxBytes, options) {
        return reader.read(maxBytes === 0 ? 0 : undefined, options)
      },
    })),
  },
  {
    name: 'writeEof() overtakes what waits to be sent',
    breaks: ['what was written before the end arrives before it'],
    mutate: mutateWriter((writer) => ({
      write(data) {
        if (data.length < 100_000) writer.write(data)
        else writeLater(writer, data)
      },
    })),
  },
  {
    name: 'the end of input is told once, and then never again',
    breaks: ['the end of input is null, and stays null'],
    mutate: mutateReader((reader) => {
      let wasTold = false
      return {
        async readLine(options) {
          if (wasTold) return forever()
          const line = await reader.readLine(options)
          wasTold = line === null
          return line
        },
      }
    }),
  },
  {
    name: 'the end of the question ends the answer',
    breaks: ['answers flow after the end of the question'],
    mutate: (stream) =>
      replace(stream, {
        reader: replace(stream.reader, {
          async readLine(options) {
            const line = await stream.reader.readLine(options)
            if (line === null && !stream.writer.isClosing) stream.writer.writeEof()
            return line
          },
        }),
      }),
  },
  {
    name: 'readExactly() gives less at the end',
    breaks: [
      'readExactly() that meets the end is an error with the bytes it had',
      'readExactly() at the end is an error, with 0 bytes too',
    ],
    mutate: mutateReader((reader) => ({
      readExactly: async (count, options) =>
        rescue(
          reader.readExactly(count, options),
          'ERR_STANDPIPE_INCOMPLETE_READ',
          (error) => error.partial,
        ),
    })),
  },
  {
    name: 'readUntil() takes all that is at hand',
    breaks: ['readUntil() keeps what follows the separator'],
    mutate: mutateReader((reader) => ({
      async readUntil(separator, options) {
        const found = await reader.readUntil(separator, options)
        return found === null ? null : Buffer.concat([found, reader.tryRead() ?? Buffer.alloc(0)])
      },
    })),
  },
  {
    name: 'readUntil() past the limit throws the bytes away',
    breaks: ['readUntil() past the limit is an error that keeps the bytes'],
    mutate: mutateReader((reader) => ({
      readUntil: async (separator, options) =>
        rescue(reader.readUntil(separator, options), 'ERR_STANDPIPE_LIMIT_OVERRUN', (error) => {
          while (reader.tryRead() != null);
          throw error
        }),
    })),
  },
  {
    name: 'peek() reads',
    breaks: ['peek() consumes nothing'],
    mutate: mutateReader((reader) => ({
      async peek(count, options) {
        const bytes = await reader.peek(count, options)
        return bytes === null ? null : reader.read(2, options)
      },
    })),
  },
  {
    name: 'readAll() has no cap',
    breaks: ['readAll() past its cap is an error that keeps the bytes'],
    mutate: mutateReader((reader) => ({
      readAll: async ({ signal, timeoutMs } = {}) => reader.readAll({ signal, timeoutMs }),
    })),
  },
  {
    name: 'tryReadLine() takes a begun line',
    breaks: ['the try… forms give undefined where a read would wait, and consume nothing'],
    mutate: mutateReader((reader) => ({
      tryReadLine: () => reader.tryReadLine() ?? reader.tryRead()?.toString(),
    })),
  },
  {
    name: 'the try… forms cannot tell the end',
    breaks: ['the try… forms give null at the end'],
    mutate: mutateReader((reader) => ({
      tryRead: (maxBytes) => reader.tryRead(maxBytes) ?? undefined,
    })),
  },
]
