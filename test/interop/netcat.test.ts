/** The netcats that people have at hand: lines are piped into each, and every reply must come out. */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { lineEcho } from '../../src/server/line-echo.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { isMissing } from '../support/peers.js'
import { run, type RunningProgram } from '../support/programs.js'
import { portOf, serve } from '../support/serve.js'
import { temporaryFolder } from '../support/wire.js'

guardAgainstLeaks()

const COUNT = 2000
const lines = Array.from({ length: COUNT }, (_, i) => `line ${i}`)

/** Gives the program all lines and the end of input, and collects what it prints until it ends. */
async function pipeThrough(program: RunningProgram): Promise<string[]> {
  program.child.stdin.end(lines.map((line) => `${line}\n`).join(''))
  const replies: string[] = []
  while (replies.length < COUNT) replies.push(await program.nextLine())
  return replies
}

const expected = lines.map((line) => `Server received: ${line}`)

const overTcp: [string, string, (port: number) => string[]][] = [
  ['ncat', 'ncat', (port) => ['127.0.0.1', String(port)]],
  ['socat', 'socat', (port) => ['-t', '10', '-', `TCP:127.0.0.1:${port}`]],
  ['OpenBSD’s nc', 'nc', (port) => ['-N', '127.0.0.1', String(port)]],
]
describe.each(overTcp)('%s over TCP', (_name, program, argsFor) => {
  test.skipIf(isMissing(program))('has every line answered, then the end', async () => {
    const server = await serve(lineEcho())
    const peer = run(program, argsFor(portOf(server.address)))
    expect(await pipeThrough(peer)).toEqual(expected)
    expect(await peer.ended).toBe(0)
    expect(server.stats).toMatchObject({ accepted: 1 })
  })
})

const overUnix: [string, string, (path: string) => string[]][] = [
  ['ncat', 'ncat', (path) => ['-U', path]],
  ['socat', 'socat', (path) => ['-t', '10', '-', `UNIX-CONNECT:${path}`]],
]
describe.each(overUnix)('%s over a Unix socket', (_name, program, argsFor) => {
  test.skipIf(isMissing(program))('has every line answered, then the end', async () => {
    const path = join(await temporaryFolder(), 's')
    await serve(lineEcho(), { path })
    const peer = run(program, argsFor(path))
    expect(await pipeThrough(peer)).toEqual(expected)
    expect(await peer.ended).toBe(0)
  })
})
