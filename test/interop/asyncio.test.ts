/** The streams of Python's own asyncio, both ways: through the library, and through the commands. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { openConnection } from '../../src/client/open-connection.js'
import { lineEcho } from '../../src/server/line-echo.js'
import { eventually } from '../support/eventually.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { isMissing } from '../support/peers.js'
import { run, type RunningProgram } from '../support/programs.js'
import { portOf, serve } from '../support/serve.js'

guardAgainstLeaks()

const MESSAGES = ['Hello', 'World', 'AsyncIO', 'TCP']

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const command = here('../../dist/cli/main.js')

const startPythonClient = (host: string, port: number, ...words: string[]): RunningProgram =>
  run('python3', ['-B', here('asyncio_client.py'), host, String(port), ...words])

async function startPythonServer(): Promise<{ program: RunningProgram; port: number }> {
  const program = run('python3', ['-B', here('asyncio_server.py')])
  const banner = await program.nextLine()
  expect(banner).toMatch(/^listening on 127\.0\.0\.1:\d+$/)
  return { program, port: Number(banner.slice(banner.lastIndexOf(':') + 1)) }
}

async function linesOf(program: RunningProgram, count: number): Promise<string[]> {
  const lines: string[] = []
  while (lines.length < count) lines.push(await program.nextLine())
  return lines
}

const conversation = (words: readonly string[]): string[] =>
  words.flatMap((word) => [`sent: ${word}`, `received: Server received: ${word}`])

describe.skipIf(isMissing('python3'))('asyncio', () => {
  test('its client is answered by startServer() and lineEcho()', async () => {
    const server = await serve(lineEcho())
    const client = startPythonClient('127.0.0.1', portOf(server.address))
    expect(await linesOf(client, 9)).toEqual([...conversation(MESSAGES), 'closed'])
    expect(await client.ended).toBe(0)
    expect(client.stderr()).toBe('')
    await eventually(() => server.stats.open === 0)
    expect(server.stats).toMatchObject({ accepted: 1, closedBy: { ended: 1 } })
  })

  test('its client finds us by the name localhost, and is answered in any script', async () => {
    const server = await serve(lineEcho())
    const words = ['Grüße', '服务器收到', '👋🏽', 'tab\tand space ']
    const client = startPythonClient('localhost', portOf(server.address), ...words)
    const lines = await linesOf(client, 2 * words.length)
    expect(lines.map((line) => line.trim())).toEqual(conversation(words).map((line) => line.trim()))
    expect(await client.ended).toBe(0)
  })

  test('its client learns of our stop as an end', async () => {
    const server = await serve(async ({ reader, writer }) => {
      writer.write(`Server received: ${await reader.readLine()}\n`)
      await reader.readLine()
    })
    const client = startPythonClient('127.0.0.1', portOf(server.address), 'Hello', 'World')
    expect(await linesOf(client, 3)).toEqual([...conversation(['Hello']), 'sent: World'])
    await server.stop()
    expect(await client.ended).toBe(1)
    expect(client.stderr()).toContain("no whole reply to World, but b''")
  })

  test('its server answers openConnection()', async () => {
    const { program, port } = await startPythonServer()
    const connection = await openConnection({ port })
    const replies: unknown[] = []
    for (const message of MESSAGES) {
      connection.writer.write(`${message}\n`)
      await connection.writer.drain()
      replies.push(await connection.reader.readLine())
    }
    expect(replies).toEqual(MESSAGES.map((message) => `Server received: ${message}`))
    const { host, port: ourPort } = connection.local as { host: string; port: number }
    await connection.close()
    expect((await connection.closed).reason).toEqual({ kind: 'closed-here' })
    expect(await linesOf(program, 7)).toEqual([
      `connected: ${host}:${ourPort}`,
      ...MESSAGES.map((message) => `received: ${message}`),
      'ended',
      'closed',
    ])
    expect(program.stderr()).toBe('')
  })

  test('its server has our half-close as an end, and its last words still reach us', async () => {
    const { program, port } = await startPythonServer()
    await using connection = await openConnection({ port })
    connection.writer.write('Hello')
    connection.writer.writeEof()
    expect((await connection.reader.readAll()).toString()).toBe('Server received: Hello\n')
    expect((await linesOf(program, 4)).slice(1)).toEqual(['received: Hello', 'ended', 'closed'])
  })

  test('its server has our abort as a reset', async () => {
    const { program, port } = await startPythonServer()
    const connection = await openConnection({ port })
    connection.writer.write('Hello\n')
    expect(await connection.reader.readLine()).toBe('Server received: Hello')
    connection.abort()
    const lines = await linesOf(program, 3)
    expect(lines[2]).toMatch(/^failed: ConnectionResetError/)
  })
})

// Through the built commands; without a build there is nothing to run.
describe.skipIf(isMissing('python3') || !existsSync(command))('asyncio and the commands', () => {
  test('its client is answered by `standpipe echo`', async () => {
    const echo = run(process.execPath, [command, 'echo', '--port', '0', '--json'])
    const { port } = JSON.parse(await echo.nextLine()) as { port: number }
    const client = startPythonClient('127.0.0.1', port)
    expect(await linesOf(client, 9)).toEqual([...conversation(MESSAGES), 'closed'])
    expect(await client.ended).toBe(0)
    echo.child.kill('SIGTERM')
    expect(await echo.ended).toBe(0)
  })

  test('its server answers `standpipe connect`', async () => {
    const { port } = await startPythonServer()
    const connect = run(process.execPath, [command, 'connect', `127.0.0.1:${port}`])
    for (const message of MESSAGES) {
      connect.child.stdin.write(`${message}\n`)
      expect(await connect.nextLine()).toBe(`Server received: ${message}`)
    }
    connect.child.stdin.end()
    expect(await connect.ended).toBe(0)
    expect(connect.stderr()).toBe('')
  })
})
