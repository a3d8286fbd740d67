/** The handler of the line-echo server: a prefix, the line's bytes, and the line's own terminator. */
import { LimitOverrunError } from '../errors.js'
import type { Connection } from '../protocol/connection.js'
import type { Handler } from '../protocol/handler.js'

export interface LineEchoOptions {
  /** What each reply begins with. @default 'Server received: ' */
  prefix?: string | undefined
}

export const DEFAULT_PREFIX = 'Server received: '

/**
 * Makes a handler that answers each line with the prefix and the line, exact for any bytes: the terminator is
 * the one that came, and a last line without one is answered without one. A line over the limit is skipped
 * (what the peer is told of it is the server's `onLimit`), and the next one is answered.
 */
export function lineEcho(options: LineEchoOptions = {}): Handler {
  // Latin-1 maps bytes to characters one to one, so this is the text whose bytes are the prefix in UTF-8.
  const prefix = Buffer.from(options.prefix ?? DEFAULT_PREFIX).toString('latin1')
  return async (connection: Connection) => {
    const { reader, writer } = connection
    for (;;) {
      const batches = reader.lineBatches({
        encoding: 'latin1',
        keepTerminator: true,
        partial: 'yield',
      })
      try {
        for await (const lines of batches) {
          writer.write(prefix + lines.join(prefix), 'latin1')
          await writer.drain()
        }
        return
      } catch (error) {
        if (!(error instanceof LimitOverrunError) || writer.isClosing) throw error
      }
    }
  }
}
