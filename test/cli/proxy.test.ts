/** `standpipe proxy` between a client and an echo server, as each of them and a script see it. */
import { once } from 'node:events'
import net from 'node:net'
import { describe, expect, test } from 'vitest'
import {
  listening,
  runCommand,
  startCommand,
  type Echo,
  type RunningCommand,
} from '../support/command.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { closedPort } from '../support/ports.js'
import { portOf, serve } from '../support/serve.js'
import { dial, receiveAll } from '../support/wire.js'
import { lineEcho } from '../../src/server/line-echo.js'

guardAgainstLeaks()

async function echoPort(): Promise<number> {
  return portOf((await serve(lineEcho({ prefix: '' }))).address)
}

/** A proxy before an echo server of this process. */
async function startProxy(...flags: string[]): Promise<Echo> {
  return await listening(
    startCommand(['proxy', ':0', `:${await echoPort()}`, '--json', '--seed', '1', ...flags]),
  )
}

async function exchange(port: number, text: string): Promise<{ text: string; end: string }> {
  const socket = dial({ port })
  socket.end(text)
  const { bytes, end } = await receiveAll(socket)
  return { text: bytes.toString(), end }
}

/** Stops it and gives its events, the last of which are the statistics. */
async function eventsOf(command: RunningCommand): Promise<Record<string, unknown>[]> {
  command.kill('SIGTERM')
  const { code, stdout } = await command.ended
  expect(code).toBe(0)
  const lines = stdout.toString().trimEnd().split('\n')
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
}

describe('standpipe proxy', () => {
  test('without faults passes everything, and tells what it has passed', async () => {
    const { command, port } = await startProxy()
    expect(await exchange(port, 'hello\nlast')).toEqual({ text: 'hello\nlast', end: 'end' })
    await command.prints(/"event":"close"/)
    const events = await eventsOf(command)
    expect(events.map(({ event }) => event)).toEqual(['listening', 'open', 'close', 'stats'])
    expect(events[2]).toMatchObject({ connection: 1, passedBytes: { toTarget: 10, toClient: 10 } })
    expect(events[3]).toEqual({
      event: 'stats',
      seed: 1,
      accepted: 1,
      open: 0,
      unreachable: 0,
      heldBytes: { toTarget: 0, toClient: 0 },
      // How much came at once is the kernel's business.
      mostHeldBytes: {
        toTarget: expect.any(Number) as number,
        toClient: expect.any(Number) as number,
      },
      passedBytes: { toTarget: 10, toClient: 10 },
      droppedBytes: { toTarget: 0, toClient: 0 },
      applied: {},
    })
  })

  test('says in words where it listens, with which seed, and at the end what it did', async () => {
    const port = await closedPort()
    const target = await echoPort()
    const command = startCommand(['proxy', `:${port}`, `:${target}`, '--slice', '2'])
    await command.says(/^standpipe proxy: listening on 127\.0\.0\.1:\d+ \(Ctrl\+C stops it\)\n/)
    await command.says(/faults: slicer; seed \d+/)
    expect((await exchange(port, 'abcdef\n')).text).toBe('abcdef\n')
    await command.says(
      /"connection":1,"kind":"slicer","direction":"toTarget","msg":"fault: slicer-1"/,
    )
    command.kill('SIGINT')
    const { code, stderr, stdout } = await command.ended
    expect(code).toBe(0)
    expect(stdout.length).toBe(0)
    expect(stderr).toMatch(
      /\nstandpipe proxy: connections: 1, bytes to target: 7, to client: 7, faults: slicer \d+\n$/,
    )
  })

  test.each<[string[], string, { text: string; end: string }]>([
    [['--latency', '20ms', '--jitter', '5ms'], 'latency', { text: 'abcdef', end: 'end' }],
    [['--bandwidth', '1k'], 'bandwidth', { text: 'abcdef', end: 'end' }],
    [['--slice', '1', '--slice-gap', '1ms'], 'slicer', { text: 'abcdef', end: 'end' }],
    [
      ['--slice', '2', '--slice-variation', '1', '--max-held', '3'],
      'slicer',
      { text: 'abcdef', end: 'end' },
    ],
    [['--slow-close', '20ms'], 'slow-close', { text: 'abcdef', end: 'end' }],
    [['--limit-data', '3', '--direction', 'to-target'], 'data-limit', { text: 'abc', end: 'end' }],
    [['--limit-data', '4', '--direction', 'to-client'], 'data-limit', { text: 'abcd', end: 'end' }],
    [['--limit-data', '0', '--direction', 'to-client'], 'data-limit', { text: '', end: 'end' }],
    [['--black-hole', '--black-hole-end', '20ms'], 'black-hole', { text: '', end: 'end' }],
    [['--reset-after-time', '0s'], 'reset', { text: '', end: 'ECONNRESET' }],
    [
      ['--fault', '{"kind":"latency","latencyMs":1}', '--fault', '{"kind":"slicer","bytes":2}'],
      'latency',
      { text: 'abcdef', end: 'end' },
    ],
    // Node 20 and 22 may report a reset right behind data as an end.
    [
      ['--reset-after', '4', '--direction', 'to-client'],
      'reset',
      { text: 'abcd', end: expect.stringMatching(/^(?:ECONNRESET|end)$/) as string },
    ],
  ])('%j does what it says', async (flags, kind, seen) => {
    const { command, port } = await startProxy(...flags)
    expect(await exchange(port, 'abcdef')).toEqual(seen)
    await command.prints(/"event":"close"/)
    const events = await eventsOf(command)
    expect(events).toContainEqual(expect.objectContaining({ event: 'fault', connection: 1, kind }))
    expect(events.at(-1)).toMatchObject({ applied: { [kind]: expect.any(Number) as number } })
  })

  test('--down refuses', async () => {
    const { command, port } = await startProxy('--down')
    await command.says(/faults: down/)
    const socket = dial({ port })
    expect((await receiveAll(socket)).end).toBe('ECONNREFUSED')
    const events = await eventsOf(command)
    expect(events.map(({ event }) => event)).toEqual(['listening', 'stats'])
  })

  test('--black-hole holds a connection until the grace is over: exit 1', async () => {
    const { command, port } = await startProxy('--black-hole', '--grace', '100ms')
    const socket = dial({ port })
    socket.write('anyone?\n')
    await command.prints(/"kind":"black-hole"/)
    command.kill('SIGTERM')
    expect(await receiveAll(socket)).toMatchObject({ end: 'ECONNRESET' })
    expect((await command.ended).code).toBe(1)
  })

  test('a second signal cuts at once: exit 1, and the statistics all the same', async () => {
    const { command, port } = await startProxy('--black-hole', '--grace', '10m')
    const socket = dial({ port })
    socket.write('anyone?\n')
    await command.prints(/"kind":"black-hole"/)
    command.kill('SIGTERM')
    await command.says(/draining/)
    command.kill('SIGTERM')
    const { code, stdout } = await command.ended
    expect(code).toBe(1)
    expect(stdout.toString()).toMatch(/\{"event":"stats",.*\}\n$/)
    socket.destroy()
  })

  test('tells of a target that cannot be connected to', async () => {
    const target = await closedPort()
    const { command, port } = await listening(startCommand(['proxy', ':0', `:${target}`, '--json']))
    const socket = dial({ port })
    expect((await receiveAll(socket)).end).toBe('ECONNRESET')
    const events = await eventsOf(command)
    expect(events).toContainEqual(
      expect.objectContaining({ event: 'unreachable', code: 'ERR_STANDPIPE_CONNECT' }),
    )
    expect(events.at(-1)).toMatchObject({ unreachable: 1 })
  })

  test('--json whose reader leaves goes on', async () => {
    const { command, port } = await startProxy()
    command.child.stdout?.destroy()
    for (let i = 0; i < 3; i++) expect((await exchange(port, 'a\n')).text).toBe('a\n')
    command.kill('SIGTERM')
    expect((await command.ended).code).toBe(0)
  })

  test('that cannot listen is exit 1', async () => {
    const squatter = net.createServer().listen({ port: 0, host: '127.0.0.1' })
    await once(squatter, 'listening')
    const { port } = squatter.address() as net.AddressInfo
    const { code, stderr } = await runCommand(['proxy', `:${port}`, ':1'])
    squatter.close()
    expect(code).toBe(1)
    expect(stderr).toBe(
      `standpipe: listen on 127.0.0.1:${port}: the address is in use. See who has it: ss -ltnp 'sport = :${port}'; or take any free port: listen on :0\n`,
    )
  })

  test.each<[string[], string]>([
    [[':1', ':0'], "':0': port 0 cannot be connected to"],
    [[':1'], "missing required argument 'target'"],
    [[':1', ':2', '--jitter', '5ms'], '--jitter has no meaning by itself. Add --latency 100ms'],
    [[':1', ':2', '--slice-gap', '5ms'], '--slice-gap has no meaning by itself'],
    [[':1', ':2', '--slice-variation', '5'], '--slice-variation has no meaning by itself'],
    [[':1', ':2', '--black-hole-end', '5s'], '--black-hole-end has no meaning by itself. Add --bl'],
    [
      [':1', ':2', '--direction', 'to-target'],
      '--direction has no meaning without a fault. Add one, such',
    ],
    [[':1', ':2', '--probability', '.5', '--down'], '--probability has no meaning without a fault'],
    [[':1', ':2', '--latency', '5'], "'5' has no unit"],
    [[':1', ':2', '--bandwidth', '0'], "'0' is no size. Write bytes"],
    [[':1', ':2', '--limit-data', 'all'], "'all' is no size"],
    [[':1', ':2', '--max-held', '0'], "'0' is no size"],
    [
      [':1', ':2', '--fault', 'slow'],
      `'slow' is no JSON. Write a fault such as '{"kind":"latency"`,
    ],
    [[':1', ':2', '--fault', '{"kind":"timeout"}'], 'not "timeout", which is black-hole here. For'],
    [
      [':1', ':2', '--latency', '5ms', '--fault', '{"kind":"reset","name":"latency-1"}'],
      "two faults have the name 'latency-1'. Give each a name of its own",
    ],
    [[':1', ':2', '--seed', '-1'], "'-1' is no seed"],
    [[':1', ':2', '--probability', '2'], "'2' is no share"],
    [[':1', ':2', '--direction', 'up'], 'Allowed choices are to-target, to-client, both'],
    [[':1', ':2', '--mode', '660'], '--mode is for a Unix socket'],
  ])('%j is a mistake: exit 2', async (args, message) => {
    const { code, stderr } = await runCommand(['proxy', ...args])
    expect(code).toBe(2)
    expect(stderr).toContain(message)
  })
})
