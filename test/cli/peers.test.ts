/** The commands with the netcats that people have at hand, both ways. */
import { describe, expect, test } from 'vitest'
import { RunningCommand, startCommand, startEcho } from '../support/command.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { isMissing } from '../support/peers.js'
import { closedPort } from '../support/ports.js'

guardAgainstLeaks()

const lines = Array.from({ length: 20_000 }, (_, i) => `line ${i}\n`)
const replies = lines.map((line) => `Server received: ${line}`).join('')

interface Netcat {
  program: string
  /** To connect; it ends when the other end has ended. */
  connect: (port: number) => string[]
  /** To listen, saying so on stderr. */
  listen: (port: number) => string[]
}

const netcats: Netcat[] = [
  {
    program: 'ncat',
    connect: (port) => ['127.0.0.1', `${port}`],
    listen: (port) => ['-v', '-l', '127.0.0.1', `${port}`],
  },
  {
    program: 'socat',
    connect: (port) => ['-t', '10', '-', `TCP:127.0.0.1:${port}`],
    listen: (port) => ['-d', '-d', '-t', '10', `TCP-LISTEN:${port},bind=127.0.0.1`, '-'],
  },
  {
    program: 'nc',
    connect: (port) => ['-N', '127.0.0.1', `${port}`],
    listen: (port) => ['-v', '-N', '-l', '127.0.0.1', `${port}`],
  },
]

describe.each(netcats)('$program', ({ program, connect, listen }) => {
  const missing = isMissing(program)

  test.skipIf(missing)('has every line answered by standpipe echo', async () => {
    const { port } = await startEcho()
    const peer = new RunningCommand(program, connect(port), {})
    peer.child.stdin?.end(lines.join(''))
    const { code, stdout } = await peer.ended
    expect(code).toBe(0)
    expect(stdout.toString()).toBe(replies)
  })

  test.skipIf(missing)('gives to standpipe connect and takes from it', async () => {
    const port = await closedPort()
    const peer = new RunningCommand(program, listen(port), {})
    await peer.says(/listening/i)
    peer.child.stdin?.end(replies)
    const command = startCommand(['connect', `:${port}`])
    // No end of the input: netcats do not finish sending when the other end has ended its half.
    command.child.stdin?.write(lines.join(''))
    const { code, stdout, stderr } = await command.ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout.toString()).toBe(replies)
    expect((await peer.ended).stdout.toString()).toBe(lines.join(''))
  })
})
