/** `--crlf`: LF becomes CRLF once, however the input is cut. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toCrlf } from '../../src/cli/to-crlf.js'
import { bareServer } from '../support/bare-server.js'
import { startCommand } from '../support/command.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { receiveAll } from '../support/wire.js'

guardAgainstLeaks()

async function convert(chunks: readonly string[]): Promise<string> {
  async function* input(): AsyncGenerator<Buffer> {
    for (const chunk of chunks) yield Buffer.from(chunk, 'latin1')
  }
  const converted: Buffer[] = []
  for await (const chunk of toCrlf(input())) converted.push(chunk)
  return Buffer.concat(converted).toString('latin1')
}

describe('toCrlf()', () => {
  test.each([
    ['an LF', ['a\nb\n'], 'a\r\nb\r\n'],
    ['a CRLF', ['a\r\nb'], 'a\r\nb'],
    ['a CRLF that is cut', ['a\r', '\nb'], 'a\r\nb'],
    ['a CRLF that is cut around an empty chunk', ['a\r', '', '\n'], 'a\r\n'],
    ['an LF at the beginning of a chunk', ['a', '\nb'], 'a\r\nb'],
    ['empty lines', ['\n\n', '\n'], '\r\n\r\n\r\n'],
    ['a lone CR', ['a\rb\r', 'c'], 'a\rb\rc'],
    ['nothing', [], ''],
  ])('%s', async (_name, chunks, expected) => {
    expect(await convert(chunks)).toBe(expected)
  })

  test('never depends on the cuts', async () => {
    const piece = fc.string({ unit: fc.constantFrom('\r', '\n', 'x', '\xff') })
    await fc.assert(
      fc.asyncProperty(fc.array(piece), async (chunks) => {
        const whole = chunks.join('')
        expect(await convert(chunks)).toBe(whole.replaceAll(/(?<!\r)\n/g, '\r\n'))
      }),
    )
  })
})

test.each([
  ['the flag', ['--crlf'], {}],
  ['the variable', [], { STANDPIPE_CRLF: '1' }],
])('standpipe connect with %s ends lines in CRLF', async (_name, args, env) => {
  const server = await bareServer()
  const command = startCommand(['connect', server.address, ...args], { env })
  const socket = await server.accept()
  command.child.stdin?.end('GET / HTTP/1.0\nHost: a\r\n\n')
  const { bytes } = await receiveAll(socket)
  expect(bytes.toString()).toBe('GET / HTTP/1.0\r\nHost: a\r\n\r\n')
  socket.end()
  expect((await command.ended).code).toBe(0)
})
