/** `standpipe echo` as its peers, its logs and its scripts see it. */
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import net from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { runCommand, startCommand, startEcho, startShell } from '../support/command.js'
import { closedPort } from '../support/ports.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { dial, receiveAll, temporaryFolder } from '../support/wire.js'

guardAgainstLeaks()

/** Sends the bytes and an end, and gives all that comes back. */
async function exchange(port: number, bytes: string | Buffer): Promise<string> {
  const socket = dial({ port })
  socket.end(bytes)
  return (await receiveAll(socket)).bytes.toString('latin1')
}

/** A peer that has been served, and stays. */
async function admitted(port: number): Promise<net.Socket> {
  const socket = dial({ port })
  const served = once(socket, 'data')
  socket.resume()
  socket.write('a\n')
  await served
  return socket
}

describe('standpipe echo', () => {
  test('says in words on stderr where it listens', async () => {
    const port = await closedPort()
    const command = startCommand(['echo', '--port', String(port)])
    const [banner] = await command.says(/^.*\n/)
    expect(banner).toBe(`standpipe echo: listening on 127.0.0.1:${port} (Ctrl+C stops it)\n`)
    command.kill('SIGTERM')
    expect(await command.ended).toMatchObject({ code: 0, stdout: Buffer.alloc(0) })
  })

  test('--json says so as one object on stdout', async () => {
    const { command, port } = await startEcho()
    const [banner] = await command.prints(/^.*\n/)
    expect(JSON.parse(banner)).toEqual({
      event: 'listening',
      address: `127.0.0.1:${port}`,
      host: '127.0.0.1',
      port,
      pid: command.child.pid,
    })
    command.kill('SIGTERM')
    expect((await command.ended).stdout.toString()).toBe(banner)
  })

  test('--json whose reader leaves goes on serving', async () => {
    const script = 'standpipe echo --json --port 0 | head -n 1 >&2'
    const shell = startShell(script)
    const [, port, pid] = await shell.says(/"port":(\d+),"pid":(\d+)/)
    expect(await exchange(Number(port), 'a\n')).toBe('Server received: a\n')
    process.kill(Number(pid), 'SIGTERM')
    expect((await shell.ended).code).toBe(0)
  })

  test('answers each line with the prefix and the line', async () => {
    const { port } = await startEcho()
    expect(await exchange(port, 'a\nb\r\n\nlast')).toBe(
      'Server received: a\nServer received: b\r\nServer received: \nServer received: last',
    )
  })

  test('--prefix is sent as UTF-8', async () => {
    const { port } = await startEcho(['--prefix', 'Größe: '])
    const reply = await exchange(port, 'ä\n')
    expect(Buffer.from(reply, 'latin1').toString()).toBe('Größe: ä\n')
  })

  test('tells of a line over the --limit in its place, and goes on in step', async () => {
    const { port } = await startEcho(['--limit', '100'])
    const lines = ['a', 'x'.repeat(100), 'y'.repeat(101), 'b', 'z'.repeat(300), 'c']
    expect((await exchange(port, lines.map((line) => `${line}\n`).join(''))).split('\n')).toEqual([
      'Server received: a',
      `Server received: ${'x'.repeat(100)}`,
      'Error: line longer than 100 bytes',
      'Server received: b',
      'Error: line longer than 100 bytes',
      'Server received: c',
      '',
    ])
  })

  test('--idle-timeout ends a silent peer', async () => {
    const { port } = await startEcho(['--idle-timeout', '100ms'])
    expect(await receiveAll(dial({ port }))).toEqual({ bytes: Buffer.alloc(0), end: 'end' })
  })

  test('--message-timeout ends a peer that does not finish its line', async () => {
    const { port } = await startEcho(['--message-timeout', '100ms'])
    const socket = dial({ port })
    socket.write('a\nbegun')
    const { bytes, end } = await receiveAll(socket)
    expect({ end, bytes: bytes.toString() }).toEqual({ end: 'end', bytes: 'Server received: a\n' })
  })

  test('--write-timeout cuts a peer that takes nothing', async () => {
    const { command, port } = await startEcho(['--write-timeout', '100ms', '--log-level', 'debug'])
    const socket = dial({ port })
    socket.on('error', () => {})
    socket.pause()
    socket.write(Buffer.alloc(16 * 1024 * 1024, 'x\n'))
    const [record] = await command.says(/^.*"closed".*$/m)
    expect(JSON.parse(record)).toMatchObject({ reason: 'timed-out', phase: 'write' })
  })

  test('listens on a Unix socket, whose file goes with it', async () => {
    const path = join(await temporaryFolder(), 's')
    const { command, address } = await startEcho([`unix:${path}`])
    expect(address).toBe(`unix:${path}`)
    const { stdout } = await runCommand(['connect', address], { input: 'a\n' })
    expect(stdout.toString()).toBe('Server received: a\n')
    command.kill('SIGTERM')
    expect((await command.ended).code).toBe(0)
    const later = await runCommand(['connect', address])
    expect(later.code).toBe(7)
    expect(later.stderr).toContain(`Start one with: standpipe echo unix:${path}`)
  })

  test('listens on IPv6', async () => {
    expect((await startEcho(['[::1]:0'])).address).toMatch(/^\[::1\]:\d+$/)
  })

  test('a port in use is exit 1 with one line', async () => {
    const { port } = await startEcho()
    const { code, stderr } = await runCommand(['echo', '--port', String(port)])
    expect(code).toBe(1)
    expect(stderr).toBe(
      `standpipe: listen on 127.0.0.1:${port}: the address is in use. ` +
        `See who has it: ss -ltnp 'sport = :${port}'; or take any free port: --port 0\n`,
    )
  })

  test('a file in the way of the Unix socket is exit 1, and stays', async () => {
    const path = join(await temporaryFolder(), 'file')
    await writeFile(path, 'precious')
    const { code, stderr } = await runCommand(['echo', `unix:${path}`])
    expect(code).toBe(1)
    expect(stderr).toMatch(/^standpipe: listen on unix:[^\n]*not a socket\n$/)
  })

  test('an address of another machine is exit 1', async () => {
    const { code, stderr } = await runCommand(['echo', '192.0.2.1:8888'])
    expect(code).toBe(1)
    expect(stderr).toContain('listen on 192.0.2.1:8888: the address is not on this machine')
  })
})

describe('the log of standpipe echo', () => {
  test('is JSON on stderr, one object a line', async () => {
    const { command, port } = await startEcho(['--log-level', 'debug'])
    await exchange(port, 'a\n')
    await command.says(/"closed"/)
    command.kill('SIGTERM')
    const { stderr } = await command.ended
    const records = stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(records).toMatchObject([
      { level: 'debug', msg: 'connected', conn: 1, peer: expect.stringContaining('127.0.0.1:') },
      {
        level: 'info',
        msg: 'closed',
        conn: 1,
        peer: expect.stringContaining('127.0.0.1:'),
        bytesIn: 2,
        bytesOut: 19,
        ms: expect.any(Number),
        reason: 'ended',
      },
      { level: 'info', signal: 'SIGTERM', open: 0 },
      { level: 'info', msg: 'stopped', drained: 0, aborted: 0 },
    ])
  })

  test('--log pretty is for people', async () => {
    const { command } = await startEcho(['--log', 'pretty'])
    command.kill('SIGTERM')
    expect((await command.ended).stderr).toMatch(
      /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: SIGTERM: draining/,
    )
  })

  test('--log-level silent is silence', async () => {
    const { command } = await startEcho(['--log-level', 'silent'])
    command.kill('SIGTERM')
    expect((await command.ended).stderr).toBe('')
  })

  test('warns of a guard that is switched off', async () => {
    const { command } = await startEcho(['--idle-timeout', 'off', '--write-timeout', 'off'])
    await command.says(/"flag":"--idle-timeout"[^]*"flag":"--write-timeout"/)
    expect(command.stderr.split('\n')).toHaveLength(3)
  })

  test('a peer that resets is told without a stack', async () => {
    const { command, port } = await startEcho()
    const socket = net.connect({ port, host: '127.0.0.1' })
    socket.write('a\n')
    await once(socket, 'data')
    socket.resetAndDestroy()
    await command.says(/"code":"ERR_STANDPIPE_RESET"/)
    expect(command.stderr).not.toContain('    at ')
  })

  test('a stderr that nobody reads holds nothing up', async () => {
    const { command, port } = await startEcho(['--log-level', 'debug'])
    command.child.stderr?.destroy()
    for (let i = 0; i < 3; i++) {
      expect(await exchange(port, 'a\n')).toBe('Server received: a\n')
    }
    command.kill('SIGTERM')
    expect((await command.ended).code).toBe(0)
  })

  test('--max-connections serves so many, and tells the others why not', async () => {
    const { port } = await startEcho(['--max-connections', '1'])
    const first = await admitted(port)
    const second = dial({ port })
    expect((await receiveAll(second)).bytes.toString()).toBe(
      'Error: too many connections, try again later\n',
    )
    first.end()
    await receiveAll(first)
  })

  test('--max-per-address counts each address by itself', async () => {
    const { port } = await startEcho(['--max-per-address', '1'])
    const first = await admitted(port)
    expect(await exchange(port, '')).toBe('Error: too many connections from your address\n')
    first.end()
    await receiveAll(first)
  })

  test.each([
    ['--deny', '127.0.0.0/8'],
    ['--allow', '10.0.0.0/8'],
  ])('%s %s keeps the others out', async (flag, blocks) => {
    const { port } = await startEcho([flag, blocks])
    expect(await exchange(port, '')).toBe('Error: your address is not let in\n')
  })

  test.each([
    ['--allow', '10.0.0/8', "'10.0.0/8' is no address"],
    ['--max-connections', '0', "'0' is no number of connections"],
  ])('%s %s is a usage error', async (flag, value, message) => {
    const { code, stderr } = await runCommand(['echo', flag, value])
    expect(code).toBe(2)
    expect(stderr).toContain(message)
  })
})
