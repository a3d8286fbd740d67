/** `standpipe connect` on a terminal: what a person sees, and what is left of it afterwards. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { bareServer } from '../support/bare-server.js'
import { startEcho } from '../support/command.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { isMissing } from '../support/peers.js'
import { KEY, Terminal } from '../support/terminal.js'
import { receiveAll, send, temporaryFolder } from '../support/wire.js'

guardAgainstLeaks()

/** What is true of every end. */
const TIDY = { isRestored: true, column: 0 }

interface Session {
  terminal: Terminal
  /** The peer. */
  socket: Socket
  /** Where the history is. */
  file: string
  /** The first line on the screen. */
  banner: string
}

/** A terminal whose peer is played by the test, at its first prompt. */
async function startSession(
  args: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<Session> {
  const server = await bareServer()
  const file = join(await temporaryFolder(), 'history')
  const command = ['connect', server.address, ...args]
  const terminal = new Terminal(command, { STANDPIPE_HISTORY: file, ...env })
  const socket = await server.accept()
  const banner = bannerOf(server.address)
  await terminal.shows(banner, '>')
  return { terminal, socket, file, banner }
}

/** What comes next. */
async function received(socket: Socket): Promise<string> {
  const data = once(socket, 'data')
  socket.resume()
  return String((await data)[0])
}

function bannerOf(address: string): string {
  return `standpipe connect: connected to ${address} (Ctrl+D ends, Ctrl+C leaves)`
}

describe.skipIf(isMissing('python3'))('a terminal', () => {
  test('sends a line at Enter and shows the reply above the next prompt', async () => {
    const { address } = await startEcho()
    const file = join(await temporaryFolder(), 'history')
    const terminal = new Terminal(['connect', address], { STANDPIPE_HISTORY: file })
    await terminal.shows(bannerOf(address), '>')
    terminal.type('hello', KEY.enter)
    await terminal.shows('> hello', 'Server received: hello', '>')
    terminal.type('Grüße', KEY.left, KEY.left, 'x', KEY.enter)
    await terminal.shows('> Grüxße', 'Server received: Grüxße', '>')
    terminal.type(KEY.ctrlD)
    const result = await terminal.end()
    expect(result).toMatchObject({ code: 0, ...TIDY })
    expect(result.lines.slice(-2)).toEqual(['Server received: Grüxße', ''])
  })

  test('recalls the lines of an earlier run, kept to their owner', async () => {
    const first = await startSession()
    first.terminal.type('one', KEY.enter, 'two', KEY.enter, ' secret', KEY.enter)
    await first.terminal.shows('> one', '> two', '>  secret', '>')
    first.terminal.type(KEY.ctrlC)
    expect(await first.terminal.end()).toMatchObject({ code: 130, ...TIDY })
    expect(await readFile(first.file, 'utf8')).toBe('one\ntwo\n')
    expect((await stat(first.file)).mode & 0o777).toBe(0o600)

    const second = await startSession([], { STANDPIPE_HISTORY: first.file })
    second.terminal.type(KEY.up)
    await second.terminal.shows('> two')
    second.terminal.type(KEY.up, '!', KEY.enter)
    await second.terminal.shows('> one!', '>')
    second.terminal.type(KEY.ctrlC)
    await second.terminal.end()
    expect(await readFile(first.file, 'utf8')).toBe('one\ntwo\none!\n')
  })

  test.each([
    ['--no-history', ['--no-history'], {}],
    ['STANDPIPE_NO_HISTORY=1', [], { STANDPIPE_NO_HISTORY: '1' }],
  ])('keeps no lines with %s, and recalls those of this run', async (_what, args, env) => {
    const { terminal, file } = await startSession(args, env)
    terminal.type('one', KEY.enter)
    await terminal.shows('> one', '>')
    terminal.type(KEY.up)
    await terminal.shows('> one', '> one')
    terminal.type(KEY.ctrlC)
    expect(await terminal.end()).toMatchObject({ code: 130, ...TIDY })
    await expect(stat(file)).rejects.toThrow('ENOENT')
  })

  test('shows a line that comes while one types above the prompt, and the typed text again', async () => {
    const { terminal, socket, banner } = await startSession()
    terminal.type('half a li', KEY.left)
    await terminal.shows('> half a li')
    await send(socket, 'news\nmore news\n')
    await terminal.shows(banner, 'news', 'more news', '> half a li')
    terminal.type('X', KEY.enter)
    await terminal.shows('more news', '> half a lXi', '>')
    expect(await received(socket)).toBe('half a lXi\n')
    terminal.type(KEY.ctrlC)
    expect(await terminal.end()).toMatchObject({ code: 130, ...TIDY })
  })

  test('does so too where the typed text takes several rows', async () => {
    const { terminal, socket, banner } = await startSession()
    const long = 'x'.repeat(200)
    terminal.type(long)
    const rows = [`> ${long.slice(0, 78)}`, long.slice(78, 158), long.slice(158)]
    await terminal.shows(banner, ...rows)
    await send(socket, 'news\n')
    await terminal.shows(banner, 'news', ...rows)
    await send(socket, 'more\n')
    await terminal.shows(banner, 'news', 'more', ...rows)
    // The cursor into the first row, and the end from there.
    terminal.type('\x01')
    await send(socket, 'again\n')
    await terminal.shows(banner, 'news', 'more', 'again', ...rows)
    terminal.type(KEY.ctrlC)
    const result = await terminal.end()
    expect(result).toMatchObject({ code: 130, ...TIDY })
    expect(result.lines).toEqual([banner, 'news', 'more', 'again', ...rows, ''])
  })

  test("shows the peer's unfinished line as the prompt, and keeps no password", async () => {
    const { terminal, socket, banner, file } = await startSession()
    await send(socket, 'Welcome\r\nlogin: ')
    await terminal.shows(banner, 'Welcome', 'login:')
    terminal.type('me', KEY.enter)
    await terminal.shows('login: me', '>')
    await send(socket, '\r\nPassword: ')
    await terminal.shows('login: me', 'Password:')
    terminal.type('swordfish', KEY.enter)
    await terminal.shows('Password: swordfish', '>')
    await send(socket, '\r\nhello me\r\n')
    await terminal.shows('Password: swordfish', 'hello me', '>')
    terminal.type(KEY.up)
    await terminal.shows('hello me', '> me')
    terminal.type(KEY.ctrlC)
    expect(await terminal.end()).toMatchObject({ code: 130, ...TIDY })
    expect(await readFile(file, 'utf8')).toBe('me\n')
  })

  test('ends our half at Ctrl+D, then waits for the peer', async () => {
    const { terminal, socket, banner } = await startSession()
    terminal.type('question', KEY.enter, KEY.ctrlD)
    const { bytes, end } = await receiveAll(socket)
    expect({ text: bytes.toString(), end }).toEqual({ text: 'question\n', end: 'end' })
    await terminal.shows(/^standpipe connect: waiting for \S+ to end \(Ctrl\+C leaves\)$/, '')
    await send(socket, 'late ')
    await terminal.shows('late')
    await send(socket, 'answer\r\nand more')
    await terminal.shows('late answer', 'and more')
    socket.end()
    const result = await terminal.end()
    expect(result).toMatchObject({ code: 0, ...TIDY })
    expect(result.lines.filter((line) => !line.includes('waiting'))).toEqual([
      banner,
      '> question',
      'late answer',
      'and more',
      '',
    ])
  })

  test('leaves at Ctrl+C while it waits for the peer', async () => {
    const { terminal, socket } = await startSession()
    terminal.type(KEY.ctrlD)
    await receiveAll(socket)
    await terminal.shows(/waiting/, '')
    terminal.type(KEY.ctrlC)
    const result = await terminal.end()
    expect(result).toMatchObject({ code: 130, ...TIDY })
    expect(result.lines.slice(-2)).toEqual(['^C', ''])
  })

  test('leaves at Ctrl+C, without a word, and the typed text stays', async () => {
    const { terminal, socket, banner } = await startSession()
    terminal.type('half a li')
    await terminal.shows('> half a li')
    terminal.type(KEY.ctrlC)
    const result = await terminal.end()
    expect(result).toMatchObject({ code: 130, ...TIDY, lines: [banner, '> half a li', ''] })
    expect((await receiveAll(socket)).bytes).toHaveLength(0)
  })

  test('shows what a hostile peer sends, and obeys nothing of it', async () => {
    const { terminal, socket } = await startSession()
    terminal.type('typed')
    await terminal.shows('> typed')
    const hostile = [
      '\x1b[2J\x1b[31mred',
      '\x1b]0;title\x07',
      '\x1b[6n\x1bP+q\x1b\\',
      'over\rwrite\b\x7f\0',
      '\x9b31m\x85',
      'a\u202eb\u2066',
    ]
    await send(socket, `${hostile.join('\n')}\n\x1b[1A`)
    const shown = [
      '^[[2J^[[31mred',
      '^[]0;title^G',
      '^[[6n^[P+q^[\\',
      'over^Mwrite^H^?^@',
      '\\x9b31m\\x85',
      'a\\u202eb\\u2066',
      '^[[1Atyped',
    ]
    await terminal.shows(...shown)
    await send(socket, Buffer.from('\n\xff\xfe\xc3(\n', 'latin1'))
    await terminal.shows('^[[1A', '\ufffd\ufffd\ufffd(', '> typed')
    terminal.type(KEY.ctrlC)
    expect(await terminal.end()).toMatchObject({ code: 130, ...TIDY })
    // oxlint-disable-next-line no-control-regex -- it is what must not be there
    expect(terminal.printed).not.toMatch(/\x1b[^[]|[\0\x07\x7f-\x9f\u202a-\u202e]/)
  })

  test('is restored when the peer resets: exit 56, and why on a line of its own', async () => {
    const { terminal, socket, banner } = await startSession()
    await send(socket, 'news\n')
    terminal.type('half a li')
    await terminal.shows('news', '> half a li')
    socket.resetAndDestroy()
    const result = await terminal.end()
    expect(result).toMatchObject({ code: 56, ...TIDY })
    expect(result.lines.slice(0, 3)).toEqual([banner, 'news', '> half a li'])
    expect(result.lines[3]).toMatch(
      /^standpipe: connection to 127\.0\.0\.1:\d+: reset by the peer\./,
    )
  })

  test('is restored when the peer ends: exit 0, and what it had begun is there', async () => {
    const { terminal, socket, banner } = await startSession()
    terminal.type('half a li')
    await terminal.shows('> half a li')
    socket.end('bye\nunfinished')
    const result = await terminal.end()
    expect(result).toMatchObject({ code: 0, ...TIDY })
    expect(result.lines).toEqual([
      banner,
      'bye',
      'unfinished',
      '> half a li',
      expect.stringMatching(/^standpipe connect: 127\.0\.0\.1:\d+ has ended the connection$/),
      '',
    ])
  })

  test.each([
    ['SIGTERM', 143],
    ['SIGHUP', -1],
    ['SIGQUIT', -3],
  ] as const)('is restored at %s', async (signal, code) => {
    const { terminal, banner } = await startSession()
    terminal.type('half a li')
    await terminal.shows('> half a li')
    terminal.kill(signal)
    const result = await terminal.end()
    expect(result).toMatchObject({ code, ...TIDY, lines: [banner, '> half a li', ''] })
  })

  test('is restored at the end of --timeout', async () => {
    const { terminal, banner } = await startSession(['--timeout', '1s'])
    const result = await terminal.end()
    expect(result).toMatchObject({ code: 28, ...TIDY })
    expect(result.lines[0]).toBe(banner)
    expect(result.lines[1]).toMatch(/^standpipe: .*not done within 1000 ms/)
  })

  test('goes on after a Ctrl+Z that nobody can follow', async () => {
    const { terminal, socket } = await startSession()
    terminal.type('half', KEY.ctrlZ, ' a line', KEY.enter)
    await terminal.shows('> half a line', '>')
    expect(await received(socket)).toBe('half a line\n')
    terminal.type(KEY.ctrlC)
    expect(await terminal.end()).toMatchObject({ code: 130, ...TIDY })
  })

  test('writes no sequences where TERM is dumb', async () => {
    const { terminal, socket } = await startSession([], { TERM: 'dumb' })
    terminal.type('half')
    await terminal.shows('> half')
    await send(socket, 'news\n')
    await terminal.shows('news', '> half')
    terminal.type(KEY.enter)
    await terminal.shows('> half', '>')
    terminal.type(KEY.ctrlC)
    expect(await terminal.end()).toMatchObject({ code: 130, ...TIDY })
    expect(terminal.printed).not.toContain('\x1b')
  })

  test('inserts a paste where the cursor is', async () => {
    const { terminal, socket } = await startSession()
    terminal.type('ad', KEY.left)
    await terminal.shows('> ad')
    terminal.type('bc')
    await terminal.shows('> abcd')
    terminal.type(KEY.enter)
    expect(await received(socket)).toBe('abcd\n')
    terminal.type(KEY.ctrlC)
    expect(await terminal.end()).toMatchObject({ code: 130, ...TIDY })
  })

  test('sends a long paste whole', async () => {
    const { terminal, socket } = await startSession(['--no-history'])
    const lines = Array.from({ length: 300 }, (_, i) => `line ${i}`)
    lines.push('x'.repeat(20_000))
    terminal.type(...lines.map((line) => line + KEY.enter))
    await terminal.shows(/x$/, '>')
    terminal.type(KEY.ctrlD)
    const { bytes } = await receiveAll(socket)
    expect(bytes.toString()).toBe(lines.map((line) => `${line}\n`).join(''))
    socket.end()
    expect(await terminal.end()).toMatchObject({ code: 0, ...TIDY })
  })
})
