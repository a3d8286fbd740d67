/** A look-up that hangs: in a network of its own, whose only name server never answers. */
import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { startShell, type RunningCommand } from '../support/command.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { temporaryFolder } from '../support/wire.js'

guardAgainstLeaks()

const UNSHARE = ['unshare', '--map-root-user', '--mount', '--net'] as const

/** Says what is missing where a network of its own cannot be had. */
function isMissing(): boolean {
  const [file, ...args] = UNSHARE
  const { status, error } = spawnSync(file, [...args, 'ip', 'link', 'set', 'lo', 'up'])
  if (status === 0) return false
  const reason = error?.message ?? 'not permitted'
  process.stderr.write(
    `no network namespace (${reason}): the tests of a hanging look-up are skipped\n`,
  )
  return true
}

/** A name server that is there and says nothing; it says in its own words when it is asked. */
const DEAF_NAME_SERVER = `
  const socket = require('node:dgram').createSocket('udp4')
  socket.once('message', () => process.stderr.write('asked\\n'))
  socket.bind(53, '127.0.0.1', () => process.stdout.write('up\\n'))`

/** Runs \`standpipe connect\` with these arguments there; how it ended is its last line on stderr. */
async function connectThere(args: string): Promise<RunningCommand> {
  const folder = await temporaryFolder()
  await writeFile(join(folder, 'resolv.conf'), 'nameserver 127.0.0.1\n')
  const script = `
    ip link set lo up && mount --bind resolv.conf /etc/resolv.conf
    "$NODE" -e "$DEAF_NAME_SERVER" > up & server=$!
    until [ -s up ]; do :; done
    "$NODE" "$MAIN" connect ${args} < /dev/null & client=$!
    echo "client $client"
    wait $client; echo "code $?" >&2
    kill $server`
  return startShell(`exec ${UNSHARE.join(' ')} sh -c "$SCRIPT"`, {
    cwd: folder,
    env: { SCRIPT: script, DEAF_NAME_SERVER },
    // glibc gives up after 10 s: a command that waits for its look-up does not end within this.
    timeoutMs: 9000,
  })
}

describe.skipIf(isMissing())('a look-up that hangs', () => {
  test('does not hold the exit after --connect-timeout', async () => {
    const shell = await connectThere('some.name.example:80 --connect-timeout 300ms')
    const { stderr } = await shell.ended
    expect(stderr).toMatch(/^standpipe: connect some\.name\.example:80: .* within 300 ms\. /m)
    expect(stderr).toMatch(/code 28\n$/)
  })

  test('does not hold the exit after a signal', async () => {
    const shell = await connectThere('some.name.example:80')
    await shell.says(/asked/)
    const [, pid] = await shell.prints(/client (\d+)/)
    process.kill(Number(pid), 'SIGTERM')
    expect((await shell.ended).stderr).toMatch(/code 143\n$/)
  })
})
