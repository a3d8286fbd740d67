/** `standpipe connect` in a pipe: every byte, in both directions, and an exit code for each way it can end. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, existsSync, openSync } from 'node:fs'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { bareServer } from '../support/bare-server.js'
import { runCommand, startCommand, startEcho, startShell } from '../support/command.js'
import { eventually } from '../support/eventually.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { closedPort, fullPort } from '../support/ports.js'
import { receiveAll, temporaryFolder } from '../support/wire.js'

guardAgainstLeaks()

const MEBIBYTE = 1024 * 1024

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

describe('standpipe connect carries', () => {
  test('the four lines of the tutorial', async () => {
    const { address } = await startEcho()
    const result = await runCommand(['connect', address], { input: 'Hello\nWorld\nAsyncIO\nTCP\n' })
    expect({ ...result, stdout: result.stdout.toString() }).toEqual({
      code: 0,
      stdout:
        'Server received: Hello\nServer received: World\n' +
        'Server received: AsyncIO\nServer received: TCP\n',
      stderr: '',
    })
  })

  test('any bytes exactly: NUL, lone CR, invalid UTF-8, no terminator at the end', async () => {
    const { address } = await startEcho(['--prefix', ''])
    const input = Buffer.concat([
      Buffer.from('a\0b\rc\r\n\n\xff\xfe\xc3\n', 'latin1'),
      randomBytes(60_000),
      Buffer.from('no end'),
    ])
    const { code, stdout } = await runCommand(['connect', address], { input })
    expect(code).toBe(0)
    expect(stdout.equals(input)).toBe(true)
  })

  test('5 MB from a file into a file', async () => {
    const { address } = await startEcho(['--prefix', ''])
    const folder = await temporaryFolder()
    const input = randomBytes(5_000_000)
    await writeFile(join(folder, 'in'), input)
    const shell = startShell('standpipe connect "$ADDRESS" < in > out', {
      cwd: folder,
      env: { ADDRESS: address },
    })
    expect(await shell.ended).toMatchObject({ code: 0, stderr: '' })
    expect(sha256(await readFile(join(folder, 'out')))).toBe(sha256(input))
  })

  test('5 MB through pipes', async () => {
    const { address } = await startEcho(['--prefix', ''])
    const input = randomBytes(5_000_000)
    const { code, stdout } = await runCommand(['connect', address], { input })
    expect(code).toBe(0)
    expect(sha256(stdout)).toBe(sha256(input))
  })

  test('a reply that comes long after the end of the input', async () => {
    const server = await bareServer()
    const command = startCommand(['connect', server.address])
    command.child.stdin?.end('question\n')
    const socket = await server.accept()
    const question = await receiveAll(socket)
    expect(question).toEqual({ bytes: Buffer.from('question\n'), end: 'end' })
    // Time for a whole other command, so that one which only lingers would be gone.
    await runCommand(['--version'])
    socket.end('late answer')
    expect(await command.ended).toMatchObject({ code: 0, stdout: Buffer.from('late answer') })
  })

  test('what the peer sends while stdin is silent', async () => {
    const server = await bareServer()
    const command = startCommand(['connect', server.address])
    const socket = await server.accept()
    socket.write('hello')
    await command.prints(/^hello$/)
    command.child.stdin?.end()
    await receiveAll(socket)
    socket.end()
    expect((await command.ended).code).toBe(0)
  })

  test('an upload to a peer that has ended its own half at once', async () => {
    const server = await bareServer()
    const input = randomBytes(8 * MEBIBYTE)
    const command = startCommand(['connect', server.address])
    const socket = await server.accept()
    socket.end()
    command.child.stdin?.end(input)
    const { bytes } = await receiveAll(socket)
    expect(sha256(bytes)).toBe(sha256(input))
    expect((await command.ended).code).toBe(0)
  })

  test('bytes over a Unix socket', async () => {
    const path = join(await temporaryFolder(), 's')
    await startEcho([`unix:${path}`])
    const { code, stdout } = await runCommand(['connect', `unix:${path}`], { input: 'a' })
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 0, stdout: 'Server received: a' })
  })

  test('bytes to HOST PORT and to a name', async () => {
    const { port } = await startEcho()
    const { code, stdout } = await runCommand(['connect', 'localhost', String(port)], {
      input: 'a',
    })
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 0, stdout: 'Server received: a' })
  })

  test('no more from a peer than stdout takes', async () => {
    const server = await bareServer()
    const command = startCommand(['connect', server.address])
    command.child.stdout?.pause()
    const socket = await server.accept()
    const count = 64
    let sent = 0
    const sendNext = (): void => {
      if (sent++ < count) socket.write(Buffer.alloc(MEBIBYTE), sendNext)
      else socket.end()
    }
    sendNext()
    // The intake has stopped when two looks see the same.
    let before = 0
    await eventually(() => [before, (before = sent)].every((one) => one === sent && one > 1), {
      intervalMs: 200,
      what: 'the peer is no longer read',
    })
    expect(sent).toBeLessThan(count / 2)
    command.child.stdin?.end()
    command.child.stdout?.resume()
    const { code, stdout } = await command.ended
    expect({ code, length: stdout.length }).toEqual({ code: 0, length: count * MEBIBYTE })
  })
})

describe('standpipe connect ends', () => {
  test('with the peer, and does not wait for its stdin: exit 0', async () => {
    const server = await bareServer()
    const command = startCommand(['connect', server.address])
    const socket = await server.accept()
    socket.end('bye')
    // stdin stays open.
    expect(await command.ended).toMatchObject({ code: 0, stdout: Buffer.from('bye'), stderr: '' })
  })

  test('with a stdout reader that leaves: exit 0, no stack', async () => {
    const { address } = await startEcho()
    const script =
      'yes | { standpipe connect "$ADDRESS"; echo "code $?" >&2; } | head -c 10; echo " head left"'
    const shell = startShell(script, { env: { ADDRESS: address } })
    const { stdout, stderr } = await shell.ended
    expect(stdout.toString()).toBe('Server rec head left\n')
    expect(stderr).toBe('code 0\n')
  })

  test.skipIf(!existsSync('/dev/full'))('with a stdout that is full: exit 23', async () => {
    const { address } = await startEcho()
    const full = openSync('/dev/full', 'w')
    onTestFinished(() => {
      closeSync(full)
    })
    const command = startCommand(['connect', address], { stdio: ['pipe', full, 'pipe'] })
    // stdin stays open: what cannot be printed need not be asked for.
    command.child.stdin?.write('a\n')
    const { code, stderr } = await command.ended
    expect(code).toBe(23)
    expect(stderr).toMatch(/^standpipe: write to stdout: no space is left\. [^\n]+\n$/)
  })

  test('with a file that cannot hold all of it: exit 23, and what it can hold is there', async () => {
    const { address } = await startEcho(['--prefix', ''])
    const cwd = await temporaryFolder()
    // The unit of ulimit is 512 or 1024 bytes.
    const script = 'ulimit -f 8; head -c 20000 /dev/zero | standpipe connect "$ADDRESS" > out'
    const { code, stderr } = await startShell(script, { cwd, env: { ADDRESS: address } }).ended
    expect(code).toBe(23)
    expect(stderr).toContain('the file is as large as it may be')
    expect([4096, 8192]).toContain((await stat(join(cwd, 'out'))).size)
  })

  test('refused: exit 7, and how to start a server', async () => {
    const port = await closedPort()
    const { code, stdout, stderr } = await runCommand(['connect', `:${port}`])
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 7, stdout: '' })
    expect(stderr).toMatch(
      new RegExp(
        `^standpipe: connect 127\\.0\\.0\\.1:${port}: refused after \\d+ ms \\(nothing is listening\\)\\. ` +
          `Start one with: standpipe echo :${port}\n$`,
      ),
    )
  })

  test('no socket file: exit 7', async () => {
    const path = join(await temporaryFolder(), 's')
    const { code, stderr } = await runCommand(['connect', `unix:${path}`])
    expect(code).toBe(7)
    expect(stderr).toContain(`connect unix:${path}: no such file or folder`)
  })

  test('name not found: exit 6', async () => {
    const { code, stderr } = await runCommand(['connect', 'nobody.invalid:80'])
    expect(code).toBe(6)
    expect(stderr).toMatch(/^standpipe: look up nobody\.invalid: [^\n]+\n$/)
  })

  test('no answer: exit 28 after --connect-timeout', async () => {
    const port = await fullPort()
    const { code, stderr } = await runCommand(['connect', `:${port}`, '--connect-timeout', '200ms'])
    expect(code).toBe(28)
    expect(stderr).toMatch(
      /^standpipe: connect 127\.0\.0\.1:\d+: no answer within 200 ms\. .*--connect-timeout sets how long\n$/,
    )
  })

  test('silence: exit 28 after --idle-timeout', async () => {
    const server = await bareServer()
    const command = startCommand(['connect', server.address, '--idle-timeout', '200ms'])
    await server.accept()
    const { code, stderr } = await command.ended
    expect(code).toBe(28)
    expect(stderr).toMatch(
      /^standpipe: connection to [^\n]* 200 ms\. --idle-timeout sets how long\n$/,
    )
  })

  test('a peer that has ended and takes nothing: exit 28 after --idle-timeout', async () => {
    const server = await bareServer()
    const command = startCommand(['connect', server.address, '--idle-timeout', '1s'])
    const socket = await server.accept()
    command.child.stdin?.write(Buffer.alloc(16 * MEBIBYTE))
    socket.end()
    const { code, stderr } = await command.ended
    expect(code).toBe(28)
    expect(stderr).toContain('the peer took nothing within 1000 ms')
  })

  test('a session that takes too long: exit 28 after --timeout', async () => {
    const server = await bareServer()
    const command = startCommand(['connect', server.address, '--timeout', '1500ms'])
    const socket = await server.accept()
    socket.write('begun')
    const { code, stdout, stderr } = await command.ended
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 28, stdout: 'begun' })
    expect(stderr).toMatch(/not done within 1500 ms\. --timeout sets how long\n$/)
  })

  test('a reset: exit 56', async () => {
    const server = await bareServer()
    const command = startCommand(['connect', server.address])
    command.child.stdin?.write('x')
    const socket = await server.accept()
    socket.resume()
    await once(socket, 'data')
    socket.resetAndDestroy()
    const { code, stderr } = await command.ended
    expect(code).toBe(56)
    expect(stderr).toMatch(
      /^standpipe: connection to 127\.0\.0\.1:\d+: reset by the peer\. [^\n]+\n$/,
    )
  })

  test('a peer that leaves while there is input to send: exit 56', async () => {
    const server = await bareServer()
    const command = startCommand(['connect', server.address])
    const socket = await server.accept()
    command.child.stdin?.write(Buffer.alloc(64 * MEBIBYTE))
    socket.resume()
    await once(socket, 'data')
    socket.destroy()
    const { code, stderr } = await command.ended
    expect(code).toBe(56)
    expect(stderr).toMatch(/^standpipe: connection to [^\n]+\n$/)
  })

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s: exit %i, without a word', async (signal, exitCode) => {
    const server = await bareServer()
    const command = startCommand(['connect', server.address])
    const socket = await server.accept()
    socket.write('hello')
    await command.prints(/hello/)
    command.kill(signal)
    const { code, stderr } = await command.ended
    expect({ code, stderr }).toEqual({ code: exitCode, stderr: '' })
  })

  test('SIGINT while its output is stuck: exit 130', async () => {
    const server = await bareServer()
    const command = startCommand(['connect', server.address])
    command.child.stdout?.pause()
    const socket = await server.accept()
    socket.write(Buffer.alloc(8 * MEBIBYTE))
    await once(command.child.stdout as NodeJS.ReadableStream, 'readable')
    command.kill('SIGINT')
    await once(command.child, 'exit')
    command.child.stdout?.resume()
    expect((await command.ended).code).toBe(130)
  })
})
