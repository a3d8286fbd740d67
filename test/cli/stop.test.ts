/** How `standpipe echo` ends: what was received is answered, and the exit code says whether anything was cut. */
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { startCommand, startEcho } from '../support/command.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { dial, receiveAll, send } from '../support/wire.js'

guardAgainstLeaks()

describe('standpipe echo at SIGTERM', () => {
  test('answers every complete line that it has received, in order, then ends: exit 0', async () => {
    const { command, port } = await startEcho()
    const lines = Array.from({ length: 5000 }, (_, i) => `line ${i}`)
    const socket = dial({ port })
    await once(socket, 'connect')
    await send(socket, `${lines.join('\n')}\nbegun`)
    command.kill('SIGTERM')
    const { bytes, end } = await receiveAll(socket)
    expect(end).toBe('end')
    expect(bytes.toString()).toBe(lines.map((line) => `Server received: ${line}\n`).join(''))
    socket.end()
    const { code, stderr } = await command.ended
    expect(code).toBe(0)
    expect(stderr).toContain('"msg":"stopped"')
  })

  test('ends a reader that waits without calling that an error: exit 0', async () => {
    const { command, port } = await startEcho()
    const socket = dial({ port })
    socket.write('a\n')
    socket.resume()
    await once(socket, 'data')
    command.kill('SIGTERM')
    await once(socket, 'end')
    socket.end()
    const { code, stderr } = await command.ended
    expect(code).toBe(0)
    expect(stderr).not.toMatch(/"level":"(?:warn|error)"/)
  })

  test('refuses who comes later', async () => {
    const { command, port } = await startEcho(['--grace', '5s'])
    const socket = dial({ port })
    await once(socket, 'connect')
    command.kill('SIGTERM')
    socket.resume()
    await once(socket, 'end')
    const late = dial({ port })
    expect((await receiveAll(late)).end).toBe('ECONNREFUSED')
    socket.end()
    expect((await command.ended).code).toBe(0)
  })

  test('--drain-delay goes on accepting', async () => {
    const { command, port } = await startEcho(['--drain-delay', '1500ms'])
    command.kill('SIGTERM')
    await command.says(/draining/)
    const socket = dial({ port })
    socket.end('a\n')
    expect((await receiveAll(socket)).bytes.toString()).toBe('Server received: a\n')
    expect((await command.ended).code).toBe(0)
  })

  test('cuts a peer that takes nothing at the end of the --grace: exit 1', async () => {
    const { command, port } = await startEcho(['--grace', '200ms'])
    const socket = dial({ port })
    socket.write(Buffer.alloc(16 * 1024 * 1024, 'x\n'))
    await once(socket, 'readable')
    command.kill('SIGTERM')
    const { code, stderr } = await command.ended
    expect(code).toBe(1)
    expect(stderr).toContain('cut at the end of the grace: 1')
  })

  test('a second one cuts at once: exit 1', async () => {
    const { command, port } = await startEcho(['--grace', '1h'])
    const socket = dial({ port })
    socket.write(Buffer.alloc(16 * 1024 * 1024, 'x\n'))
    await once(socket, 'readable')
    const breaks = new Promise<NodeJS.ErrnoException>((resolve) => socket.once('error', resolve))
    command.kill('SIGTERM')
    await command.says(/draining/)
    command.kill('SIGTERM')
    const { code, stderr } = await command.ended
    expect(code).toBe(1)
    expect(stderr).toContain('SIGTERM again: cut at once')
    expect((await breaks).code).toMatch(/^(?:ECONNRESET|EPIPE)$/)
  })

  test('a second one does not wait for the --drain-delay', async () => {
    const { command } = await startEcho(['--drain-delay', '1h'])
    command.kill('SIGINT')
    await command.says(/draining/)
    command.kill('SIGTERM')
    expect((await command.ended).code).toBe(1)
  })

  test('Ctrl+C drains as well: exit 0', async () => {
    const { command } = await startEcho()
    command.kill('SIGINT')
    expect((await command.ended).code).toBe(0)
  })

  test('one Ctrl+C that npm passes on counts once', async () => {
    const env = { npm_lifecycle_event: 'start' }
    const { command, port } = await startEcho([], { env })
    const socket = dial({ port })
    await once(socket, 'connect')
    command.kill('SIGINT')
    command.kill('SIGINT')
    await receiveAll(socket)
    socket.end()
    expect((await command.ended).code).toBe(0)
  })

  test('leaves its port free for the next', async () => {
    const { command, port } = await startEcho()
    const socket = dial({ port })
    await once(socket, 'connect')
    command.kill('SIGTERM')
    await receiveAll(socket)
    socket.end()
    await command.ended
    const next = startCommand(['echo', '--port', String(port), '--json'])
    const [banner] = await next.prints(/^.*\n/)
    expect(JSON.parse(banner)).toMatchObject({ event: 'listening', port })
  })
})
