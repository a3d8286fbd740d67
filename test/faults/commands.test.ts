/** The commands, when a signal, a peer or a person ends them. */
import { once } from 'node:events'
import type net from 'node:net'
import { join } from 'node:path'
import { expect } from 'vitest'
import { bareServer } from '../support/bare-server.js'
import { runCommand, startCommand, startEcho } from '../support/command.js'
import { fault } from '../support/fault.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { isMissing } from '../support/peers.js'
import { KEY, Terminal } from '../support/terminal.js'
import { dial, temporaryFolder } from '../support/wire.js'

guardAgainstLeaks()

const noTerminal = isMissing('python3') ? 'python3 is not installed' : undefined

for (const [first, second] of [
  ['SIGTERM', 'SIGTERM'],
  ['SIGINT', 'SIGINT'],
  ['SIGTERM', 'SIGINT'],
] as const) {
  fault('F41', `${second} after ${first} cuts at once: exit 1`, async ({ figure }) => {
    const { command, port } = await startEcho(['--grace', '1h'])
    const stuck = dial({ port })
    stuck.write(Buffer.alloc(16 * 1024 * 1024, 'x\n'))
    await once(stuck, 'readable')
    const broken = once(stuck, 'error')
    command.kill(first)
    await command.says(/draining/)
    const from = performance.now()
    command.kill(second)
    const { code, stderr } = await command.ended
    const tookMs = performance.now() - from
    expect(code).toBe(1)
    expect(stderr).toContain(`${second} again: cut at once`)
    // Reset, not ended: what the client was promised did not all come.
    const [error] = (await broken) as [NodeJS.ErrnoException]
    expect(['ECONNRESET', 'EPIPE']).toContain(error.code)
    expect(tookMs).toBeLessThan(2000)
    figure('exited after', tookMs, 'ms')
  })
}

async function startTerminal(): Promise<{ terminal: Terminal; socket: net.Socket }> {
  const server = await bareServer()
  const file = join(await temporaryFolder(), 'history')
  const terminal = new Terminal(['connect', server.address], { STANDPIPE_HISTORY: file })
  const socket = await server.accept()
  await terminal.shows('>')
  return { terminal, socket }
}

fault(
  'F64',
  'a server that dies in the middle of a session is exit 56, the reason on a line of its own, and the terminal is restored',
  async () => {
    const { terminal, socket } = await startTerminal()
    terminal.type('hello', KEY.enter)
    socket.resume()
    await once(socket, 'data')
    socket.resetAndDestroy()
    const { code, isRestored, lines } = await terminal.end()
    expect({ code, isRestored }).toEqual({ code: 56, isRestored: true })
    expect(lines.join('\n')).toMatch(/standpipe: connection .*reset/)
  },
  { skip: noTerminal },
)

fault(
  'F64',
  'Ctrl+C leaves with exit 130, and Ctrl+D ends our half and waits for the peer; the terminal is restored',
  async () => {
    const left = await startTerminal()
    left.terminal.type('half a li', KEY.ctrlC)
    expect(await left.terminal.end()).toMatchObject({ code: 130, isRestored: true })

    const ended = await startTerminal()
    ended.terminal.type(KEY.ctrlD)
    ended.socket.resume()
    await once(ended.socket, 'end')
    ended.socket.end('last words\n')
    const { code, isRestored, lines } = await ended.terminal.end()
    expect({ code, isRestored }).toEqual({ code: 0, isRestored: true })
    expect(lines).toContain('last words')
  },
  { skip: noTerminal },
)

fault(
  'F64',
  'with its stdin from a pipe all lines are answered before it exits with 0',
  async ({ figure }) => {
    const { address } = await startEcho()
    const lines = Array.from({ length: 10_000 }, (_, i) => `line ${i}`)
    const from = performance.now()
    const { code, stdout } = await runCommand(['connect', address], {
      input: `${lines.join('\n')}\n`,
    })
    figure('10,000 lines answered after', performance.now() - from, 'ms')
    expect(code).toBe(0)
    expect(stdout.toString()).toBe(lines.map((line) => `Server received: ${line}\n`).join(''))
  },
)

fault(
  'F64',
  'with its stdin from a pipe a server that dies is exit 56, and what had come is printed',
  async () => {
    const server = await bareServer()
    const command = startCommand(['connect', server.address])
    command.child.stdin?.write('one\n')
    const socket = await server.accept()
    socket.write('the answer\n')
    await command.prints(/the answer\n/)
    socket.resetAndDestroy()
    const { code, stdout, stderr } = await command.ended
    expect(code).toBe(56)
    expect(stdout.toString()).toBe('the answer\n')
    expect(stderr).toMatch(/^standpipe: connection .*reset/m)
  },
)
