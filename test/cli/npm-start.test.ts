/** `npm start`, as it is in package.json; its build has been made, and would pull it from under other tests. */
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { RunningCommand } from '../support/command.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { dial, receiveAll } from '../support/wire.js'

guardAgainstLeaks()

const root = fileURLToPath(new URL('../..', import.meta.url))

function npmStart(): RunningCommand {
  return new RunningCommand('npm', ['start', '--ignore-scripts'], {
    cwd: root,
    env: { STANDPIPE_PORT: '0', STANDPIPE_JSON: '1' },
  })
}

describe('npm start', () => {
  test('runs the echo server, which a SIGTERM drains: exit 0', async () => {
    const npm = npmStart()
    const [, port, pid] = await npm.prints(/"port":(\d+),"pid":(\d+)/)
    const socket = dial({ port: Number(port) })
    socket.end('a\n')
    expect((await receiveAll(socket)).bytes.toString()).toBe('Server received: a\n')
    process.kill(Number(pid), 'SIGTERM')
    expect((await npm.ended).code).toBe(0)
  })

  test('leaves no server behind when npm itself is told to stop', async () => {
    const npm = npmStart()
    await npm.prints(/"pid":\d+/)
    npm.kill('SIGTERM')
    // stderr is closed when the last process that holds it is gone.
    expect((await npm.ended).stderr).toContain('"msg":"stopped"')
  })
})
