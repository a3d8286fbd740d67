/** `standpipe connect --lines`: each line of the input with its reply, in order, and no longer than that. */
import { once } from 'node:events'
import type net from 'node:net'
import { describe, expect, test } from 'vitest'
import { bareServer } from '../support/bare-server.js'
import { runCommand, startCommand, startEcho } from '../support/command.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'

guardAgainstLeaks()

interface Pair {
  line: string | null
  reply: string
  ms: number | null
}

function parsePairs(stdout: Buffer): Pair[] {
  const text = stdout.toString()
  return text === ''
    ? []
    : text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Pair)
}

/** Resolves when the peer has received exactly this; it goes on reading. */
async function receives(socket: net.Socket, expected: string): Promise<void> {
  let received = ''
  socket.on('data', (chunk) => {
    received += chunk.toString()
  })
  socket.resume()
  while (received.length < expected.length) await once(socket, 'data')
  expect(received).toBe(expected)
}

function numbers(count: number): string {
  return Array.from({ length: count }, (_, i) => `${i}\n`).join('')
}

describe('standpipe connect --lines', () => {
  test('prints the replies, and ends with the last one although the peer does not', async () => {
    const server = await bareServer()
    const command = startCommand(['connect', server.address, '--lines'])
    command.child.stdin?.end('a\nb\nno end')
    const socket = await server.accept()
    await receives(socket, 'a\nb\nno end\n')
    socket.write('A\nB\r\n')
    await command.prints(/^A\nB\r\n$/)
    // Our half is still open: the last reply is owed.
    expect(socket.readableEnded).toBe(false)
    socket.write('\xffC\n', 'latin1')
    await once(socket, 'end')
    socket.end()
    const { code, stdout, stderr } = await command.ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout.toString('latin1')).toBe('A\nB\r\n\xffC\n')
  })

  test('sends on without waiting for replies, and pairs 20000 lines in order', async () => {
    const { address } = await startEcho(['--prefix', '>'])
    const input = numbers(20_000)
    const { code, stdout } = await runCommand(['connect', address, '--lines', '--json'], { input })
    expect(code).toBe(0)
    const pairs = parsePairs(stdout)
    expect(pairs.map(({ line }) => `${line}\n`).join('')).toBe(input)
    expect(pairs.filter(({ line, reply }) => reply !== `>${line}`)).toEqual([])
    expect(pairs.filter(({ ms }) => !(ms !== null && ms >= 0))).toEqual([])
  })

  test('has several lines under way before the first reply', async () => {
    const server = await bareServer()
    const command = startCommand(['connect', server.address, '--lines'])
    command.child.stdin?.end(numbers(1000))
    const socket = await server.accept()
    let received = ''
    socket.setEncoding('utf8').on('data', (text: string) => {
      received += text
      if (received.endsWith('999\n')) socket.end(received)
    })
    socket.resume()
    expect(await command.ended).toMatchObject({ code: 0, stdout: Buffer.from(numbers(1000)) })
  })

  test('answers each line while the input goes on', async () => {
    const { address } = await startEcho()
    const command = startCommand(['connect', address, '--lines'])
    command.child.stdin?.write('one\n')
    await command.prints(/^Server received: one\n$/)
    command.child.stdin?.write('two\n')
    await command.prints(/^Server received: one\nServer received: two\n$/)
    command.child.stdin?.end()
    expect((await command.ended).code).toBe(0)
  })

  test('--crlf ends each line in CRLF, the last one too', async () => {
    const server = await bareServer()
    const command = startCommand(['connect', server.address, '--lines', '--crlf', '--json'])
    command.child.stdin?.end('a\nb')
    const socket = await server.accept()
    await receives(socket, 'a\r\nb\r\n')
    socket.end('A\r\nB\r\n')
    const { code, stdout } = await command.ended
    expect(code).toBe(0)
    expect(parsePairs(stdout)).toMatchObject([
      { line: 'a', reply: 'A' },
      { line: 'b', reply: 'B' },
    ])
  })

  test('a greeting belongs to no line', async () => {
    const server = await bareServer()
    const command = startCommand(['connect', server.address, '--lines', '--json'])
    const socket = await server.accept()
    socket.write('220 ready\n')
    await command.prints(/ready/)
    command.child.stdin?.end('quit\n')
    await receives(socket, 'quit\n')
    socket.end('221 bye\n')
    const { code, stdout } = await command.ended
    expect(code).toBe(0)
    expect(parsePairs(stdout)).toMatchObject([
      { line: null, reply: '220 ready', ms: null },
      { line: 'quit', reply: '221 bye' },
    ])
  })

  test('no line at all is exit 0', async () => {
    const { address } = await startEcho()
    const { code, stdout } = await runCommand(['connect', address, '--lines'])
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 0, stdout: '' })
  })

  test('a peer that ends after the last reply, while the input is open, is exit 0', async () => {
    const server = await bareServer()
    const command = startCommand(['connect', server.address, '--lines'])
    command.child.stdin?.write('quit\n')
    const socket = await server.accept()
    await receives(socket, 'quit\n')
    socket.end('bye\n')
    expect(await command.ended).toMatchObject({ code: 0, stdout: Buffer.from('bye\n'), stderr: '' })
  })

  test('a peer that ends early is exit 56, with how many lines were unanswered', async () => {
    const server = await bareServer()
    const command = startCommand(['connect', server.address, '--lines'])
    command.child.stdin?.end('a\nb\nc\n')
    const socket = await server.accept()
    await receives(socket, 'a\nb\nc\n')
    socket.end('A\n')
    const { code, stdout, stderr } = await command.ended
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 56, stdout: 'A\n' })
    expect(stderr).toMatch(
      /^standpipe: connection to 127\.0\.0\.1:\d+: the peer has ended; 2 lines are unanswered\. [^\n]+\n$/,
    )
  })

  test('a reply that is cut short is none: exit 56', async () => {
    const server = await bareServer()
    const command = startCommand(['connect', server.address, '--lines'])
    command.child.stdin?.write('a\n')
    const socket = await server.accept()
    await receives(socket, 'a\n')
    socket.end('A, but not the wh')
    const { code, stdout, stderr } = await command.ended
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 56, stdout: '' })
    expect(stderr).toContain('the peer has ended in the middle of a line; 1 line is unanswered')
  })

  test('a reset is exit 56, with how many lines were unanswered', async () => {
    const server = await bareServer()
    const command = startCommand(['connect', server.address, '--lines'])
    command.child.stdin?.write('a\nb\n')
    const socket = await server.accept()
    await receives(socket, 'a\nb\n')
    socket.resetAndDestroy()
    const { code, stderr } = await command.ended
    expect(code).toBe(56)
    expect(stderr).toMatch(/: reset by the peer; 2 lines are unanswered\. [^\n]+\n$/)
  })

  test('a reply that is too long is exit 1, and the replies before it are printed', async () => {
    const server = await bareServer()
    const command = startCommand(['connect', server.address, '--lines', '--limit', '10'])
    command.child.stdin?.write('a\nb\n')
    const socket = await server.accept()
    await receives(socket, 'a\nb\n')
    socket.write(`0123456789\n${'x'.repeat(11)}\n`)
    const { code, stdout, stderr } = await command.ended
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 1, stdout: '0123456789\n' })
    expect(stderr).toMatch(
      /^standpipe: connection to [^\n]+: a reply is longer than 10 bytes\. --limit sets [^\n]+\n$/,
    )
  })

  test('a line of the input that is too long is exit 1 and named', async () => {
    const { address } = await startEcho()
    const args = ['connect', address, '--lines', '--limit', '10']
    const { code, stderr } = await runCommand(args, { input: `a\n${'x'.repeat(11)}\n` })
    expect(code).toBe(1)
    expect(stderr).toMatch(/^standpipe: line 2 of the input is longer than 10 bytes\. [^\n]+\n$/)
  })

  test('silence is exit 28 after --idle-timeout', async () => {
    const server = await bareServer()
    const args = ['connect', server.address, '--lines', '--idle-timeout', '200ms']
    const command = startCommand(args)
    command.child.stdin?.end('a\n')
    await server.accept()
    expect((await command.ended).code).toBe(28)
  })
})

describe('the flags of --lines', () => {
  test('work as variables, and a variable that has no meaning is passed over', async () => {
    const { address } = await startEcho()
    const env = { STANDPIPE_LINES: '1', STANDPIPE_JSON: '1', STANDPIPE_LIMIT: '100' }
    const { stdout } = await runCommand(['connect', address], { input: 'a\n', env })
    expect(parsePairs(stdout)).toMatchObject([{ line: 'a', reply: 'Server received: a' }])
    const plain = await runCommand(['connect', address], {
      input: 'a\n',
      env: { STANDPIPE_JSON: '1' },
    })
    expect(plain).toMatchObject({ code: 0, stdout: Buffer.from('Server received: a\n') })
  })

  test.each([
    [['--json'], '--json has no meaning by itself. Give it with --lines or --probe.'],
    [['--limit', '1k'], '--limit has no meaning by itself. Give it with --lines.'],
  ])('%j alone is exit 2', async (args, words) => {
    const { code, stderr } = await runCommand(['connect', ':1', ...args])
    expect(code).toBe(2)
    expect(stderr).toContain(words)
  })
})
