/** `standpipe connect --probe`: whether one could connect, and nothing else. */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { bareServer } from '../support/bare-server.js'
import { runCommand, startCommand, startEcho } from '../support/command.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { closedPort, fullPort } from '../support/ports.js'
import { receiveAll, temporaryFolder } from '../support/wire.js'

guardAgainstLeaks()

describe('standpipe connect --probe', () => {
  test('prints the address and the time, and sends nothing but its end', async () => {
    const server = await bareServer()
    const command = startCommand(['connect', server.address, '--probe'])
    // What is on stdin stays there, and its end is not waited for.
    command.child.stdin?.write('not for the peer\n')
    const { code, stdout, stderr } = await command.ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout.toString()).toMatch(
      new RegExp(`^connected to 127\\.0\\.0\\.1:${server.port} in \\d+\\.\\d ms\n$`),
    )
    expect(await receiveAll(await server.accept())).toEqual({ bytes: Buffer.alloc(0), end: 'end' })
  })

  test('does not wait for a peer that does not end', async () => {
    const server = await bareServer()
    const args = ['connect', server.address, '--probe', '--timeout', '10s']
    const { code } = await runCommand(args)
    expect(code).toBe(0)
    await server.accept()
  })

  test('--json prints one object', async () => {
    const { port } = await startEcho()
    const { code, stdout } = await runCommand(['connect', `localhost:${port}`, '--probe', '--json'])
    expect(code).toBe(0)
    expect(stdout.toString()).toMatch(/^[^\n]+\n$/)
    expect(JSON.parse(stdout.toString())).toEqual({
      event: 'connected',
      address: `127.0.0.1:${port}`,
      host: '127.0.0.1',
      port,
      ms: expect.any(Number) as number,
    })
  })

  test('of a Unix socket, by variables', async () => {
    const path = join(await temporaryFolder(), 's')
    await startEcho([`unix:${path}`])
    const env = { STANDPIPE_PROBE: '1', STANDPIPE_JSON: '1', STANDPIPE_CRLF: '1' }
    const { code, stdout } = await runCommand(['connect', `unix:${path}`], { env })
    expect(code).toBe(0)
    expect(JSON.parse(stdout.toString())).toMatchObject({ address: `unix:${path}`, path })
  })

  test('of a port where nothing listens is exit 7', async () => {
    const port = await closedPort()
    const { code, stdout, stderr } = await runCommand(['connect', `:${port}`, '--probe', '--json'])
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 7, stdout: '' })
    expect(stderr).toMatch(/: refused after \d+ ms [^\n]+\n$/)
  })

  test('of a name that is not there is exit 6', async () => {
    const { code } = await runCommand(['connect', 'nobody.invalid:80', '--probe'])
    expect(code).toBe(6)
  })

  test.each([
    ['--connect-timeout', /--connect-timeout sets how long\n$/],
    ['--timeout', /not done within 200 ms\. --timeout sets how long\n$/],
  ])('of a port that does not answer is exit 28 after %s', async (flag, words) => {
    const port = await fullPort()
    const { code, stderr } = await runCommand(['connect', `:${port}`, '--probe', flag, '200ms'])
    expect(code).toBe(28)
    expect(stderr).toMatch(words)
  })

  test.each([
    [['--lines'], '--lines and --probe exclude each other'],
    [['--hex'], '--hex and --probe exclude each other'],
    [['--crlf'], '--crlf has no meaning with --probe. Leave it out.'],
    [['--limit', '1k'], '--limit has no meaning with --probe'],
    [['--idle-timeout', '1s'], '--idle-timeout has no meaning with --probe. Leave it out.'],
  ])('with %j is exit 2', async (args, words) => {
    const { code, stderr } = await runCommand(['connect', ':1', '--probe', ...args])
    expect(code).toBe(2)
    expect(stderr).toContain(words)
  })
})
