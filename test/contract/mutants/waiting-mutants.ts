import { setMaxListeners } from 'node:events'
import { mutateReader, mutateWriter, rescue, type Mutant } from './mutant.js'

export const waitingMutants: readonly Mutant[] = [
  {
    name: 'a second read queues behind the first',
    breaks: ['a second read at the same time is busy, and the first is unharmed'],
    mutate: mutateReader((reader) => {
      let last: Promise<unknown> = Promise.resolve()
      return {
        async readLine(options) {
          const line = last.then(async () => reader.readLine(options))
          last = line.catch(() => {})
          return line
        },
      }
    }),
  },
  {
    name: 'an aborted read eats what was there',
    breaks: ['an aborted read consumes nothing, and the next one works'],
    mutate: mutateReader((reader) => ({
      async readLine(options) {
        try {
          return await reader.readLine(options)
        } catch (error) {
          if (options?.signal?.aborted === true) reader.tryRead()
          throw error
        }
      },
    })),
  },
  {
    name: 'a signal is looked at only after the read',
    breaks: ['a signal that is aborted already rejects before anything happens'],
    mutate: mutateReader((reader) => ({
      async readLine(options) {
        if (options?.signal?.aborted !== true) return reader.readLine(options)
        await reader.readLine()
        throw options.signal.reason
      },
    })),
  },
  {
    name: 'drain() ignores a signal that is aborted already',
    breaks: [
      'a signal that is aborted already rejects before anything happens',
      'an aborted drain() leaves the others waiting, and the bytes on their way',
    ],
    mutate: mutateWriter((writer) => ({ drain: async () => writer.drain() })),
  },
  {
    name: 'a read out of time eats what was there',
    breaks: ['a read out of time is a TimeoutError and consumes nothing'],
    mutate: mutateReader((reader) => ({
      readExactly: async (count, options) =>
        rescue(reader.readExactly(count, options), 'ERR_STANDPIPE_TIMED_OUT', (error) => {
          reader.tryRead()
          throw error
        }),
    })),
  },
  {
    name: 'each call leaves a listener on its signal',
    breaks: ['a signal that many calls share is left without a listener'],
    mutate: mutateReader((reader) => ({
      async readLine(options) {
        if (options?.signal?.aborted === false) {
          setMaxListeners(0, options.signal)
          options.signal.addEventListener('abort', () => {})
        }
        return reader.readLine(options)
      },
    })),
  },
  {
    name: 'readExactly() gives what came first',
    breaks: ['a read that is not yet answered gets what comes later'],
    mutate: mutateReader((reader) => ({
      async readExactly(count, options) {
        if (count !== 10) return reader.readExactly(count, options)
        return (await reader.read(count, options)) ?? Buffer.alloc(0)
      },
    })),
  },
]
