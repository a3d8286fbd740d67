import { mutateReader, rescue, type Mutant } from './mutant.js'

export const lineMutants: readonly Mutant[] = [
  {
    name: 'a CR that is the last byte so far ends a line',
    breaks: ['a CRLF that is cut in two ends one line'],
    mutate: mutateReader((reader) => ({
      async readLine(options) {
        const seen = reader.bufferedBytes > 0 ? reader.bufferedBytes : 4
        const bytes = await reader.peek(seen, options)
        if (bytes?.at(-1) !== 0x0d) return reader.readLine(options)
        const line = await reader.readExactly(bytes.length, options)
        return line.toString('utf8', 0, line.length - 1)
      },
    })),
  },
  {
    name: 'each received byte is decoded by itself',
    breaks: ['a character that is cut in two is one character'],
    mutate: mutateReader((reader) => ({
      async readLine(options) {
        if (reader.bufferedBytes > 20) return reader.readLine(options)
        let text = ''
        while (!text.endsWith('\n')) {
          const byte = await reader.read(1, options)
          if (byte === null) return null
          text += byte.toString()
        }
        return text.slice(0, -1)
      },
    })),
  },
  {
    name: 'a byte-order mark is swallowed',
    breaks: ['a character that is cut in two is one character'],
    mutate: mutateReader((reader) => ({
      async readLine(options) {
        const line = await reader.readLine(options)
        return line === null ? null : line.replaceAll('\ufeff', '')
      },
    })),
  },
  {
    name: 'the limit counts the terminator',
    breaks: ['a line as long as the limit is a line'],
    mutate: mutateReader((reader) => ({
      async readLine(options) {
        const line = await reader.readLine(options)
        if (line?.length === 64 * 1024) throw new Error('too long')
        return line
      },
    })),
  },
  {
    name: 'the tail of an over-long line looks like a line, as in asyncio',
    breaks: ['an over-long line is one error, and the next line is whole'],
    mutate: mutateReader((reader) => {
      let tail: string | undefined
      return {
        async readLine(options) {
          const pending = tail
          tail = undefined
          if (pending !== undefined) return pending
          return rescue(reader.readLine(options), 'ERR_STANDPIPE_LIMIT_OVERRUN', (error) => {
            tail = 'xxx'
            throw error
          })
        },
      }
    }),
  },
  {
    name: 'a cut last line is run as if it were whole',
    breaks: ['a last line without its end is an error with its bytes, not a line'],
    mutate: mutateReader((reader) => ({
      readLine: async (options) =>
        rescue(reader.readLine(options), 'ERR_STANDPIPE_INCOMPLETE_READ', (error) =>
          error.partial.toString(),
        ),
    })),
  },
  {
    name: 'lines() drops a cut last line in silence',
    breaks: ['lines() raises for a last line without its end, as readLine() does'],
    mutate: mutateReader((reader) => ({
      async *lines() {
        for (;;) {
          const line = await rescue(reader.readLine(), 'ERR_STANDPIPE_INCOMPLETE_READ', () => null)
          if (line === null) return
          yield line
        }
      },
    })),
  },
  {
    name: 'invalid text ends the stream',
    breaks: ['a line that is not valid UTF-8 is one error, and the next line is whole'],
    mutate: mutateReader((reader, stream) => ({
      readLine: async (options) =>
        rescue(reader.readLine(options), 'ERR_STANDPIPE_DECODE', (error) => {
          void stream.close()
          throw error
        }),
    })),
  },
  {
    name: 'lines() gives an empty line at the end',
    breaks: ['lines() and chunks() end at the end of input'],
    mutate: mutateReader((reader) => ({
      async *lines() {
        for await (const line of reader.lines()) yield line
        yield ''
      },
    })),
  },
  {
    name: 'leaving lines() closes the stream, as a Node stream does',
    breaks: ['leaving lines() leaves the stream open and loses nothing'],
    mutate: mutateReader((reader, stream) => ({
      async *lines() {
        try {
          for await (const line of reader.lines()) yield line
        } finally {
          void stream.close()
        }
      },
    })),
  },
]
