/** Servers that cannot listen, and stops that come at odd moments. */
import { once } from 'node:events'
import { chmod, readdir, writeFile } from 'node:fs/promises'
import net from 'node:net'
import { join } from 'node:path'
import { expect } from 'vitest'
import { openConnection } from '../../src/client/open-connection.js'
import { ListenError } from '../../src/errors.js'
import { lineEcho } from '../../src/server/line-echo.js'
import { startServer } from '../../src/server/start-server.js'
import { eventually } from '../support/eventually.js'
import { fault } from '../support/fault.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { runProgram } from '../support/programs.js'
import { portOf } from '../support/serve.js'
import { rejection, watch } from '../support/settled.js'
import { dial, temporaryFolder } from '../support/wire.js'

guardAgainstLeaks()

const echo = lineEcho({ prefix: '' })

async function answers(port: number): Promise<string | null> {
  const connection = await openConnection({ port })
  connection.writer.write('hello\n')
  const line = await connection.reader.readLine()
  await connection.close()
  return line
}

fault(
  'F38',
  'a port in use is a ListenError with the port; the first server goes on, and its port is free after its stop',
  async ({ serve, figure }) => {
    const first = await serve(echo)
    const port = portOf(first.address)
    const error = await rejection(startServer(echo, { port, logger: false }))
    expect(error).toBeInstanceOf(ListenError)
    expect(error).toMatchObject({ code: 'ERR_STANDPIPE_ADDRESS_IN_USE' })
    expect((error as Error).message).toContain(`:${port}`)
    expect(await answers(port)).toBe('hello')
    expect((error as ListenError).address).toBe(`127.0.0.1:${port}`)
    // A connection that the server has ended first leaves the port in TIME_WAIT, which must not keep the next one out.
    const idle = dial(first.address)
    const ended = once(idle.resume(), 'end')
    await eventually(() => first.stats.open === 1)
    const stopping = first.stop()
    await ended
    idle.end()
    await stopping
    const from = performance.now()
    const second = await serve(echo, { port })
    figure('listening again after', performance.now() - from, 'ms')
    expect(await answers(portOf(second.address))).toBe('hello')
  },
)

fault(
  'F39',
  'a host that is not ours, that does not exist, and a path that is no socket are errors, and nothing listens',
  async () => {
    const path = join(await temporaryFolder(), 'file')
    await writeFile(path, 'precious')
    for (const where of [
      { host: '192.0.2.1' },
      { host: 'no-such-host.invalid' },
      { path },
      { path: join(path, 'below') },
    ]) {
      const error = await rejection(startServer(echo, { ...where, logger: false }))
      expect(error).toBeInstanceOf(ListenError)
      const named = 'host' in where ? where.host : where.path
      expect((error as Error).message).toContain(named)
    }
    expect(process.getActiveResourcesInfo()).not.toContain('TCPServerWrap')
    expect(process.getActiveResourcesInfo()).not.toContain('PipeServerWrap')
  },
)

fault('F39', 'listening where we may not is a typed error, and nothing listens', async () => {
  const folder = await temporaryFolder()
  await chmod(folder, 0o500)
  const path = join(folder, 'socket')
  const told: unknown = JSON.parse(await runProgram('denied-listener.mjs', [path]).nextLine())
  expect(told).toMatchObject({
    name: 'ListenError',
    code: 'ERR_STANDPIPE_LISTEN',
    address: `unix:${path}`,
    errno: 'EACCES',
    listeners: [],
  })
  expect((told as Error).message).toContain('permission denied')
  expect(await readdir(folder)).toEqual([])
})

fault(
  'F43',
  'an abort before the start is done rejects with the reason, and nothing listens',
  async () => {
    const giveUp = new AbortController()
    const reason = new Error('not today')
    const starting = watch(startServer(echo, { logger: false, signal: giveUp.signal }))
    giveUp.abort(reason)
    expect(await rejection(starting.promise)).toBe(reason)
    await eventually(() => !process.getActiveResourcesInfo().includes('TCPServerWrap'))
  },
)

fault(
  'F43',
  'a stop that is called twice, at once and from several places has one outcome',
  async ({ serve }) => {
    const server = await serve(echo)
    const client = dial(server.address)
    await once(client, 'connect')
    await eventually(() => server.stats.open === 1)
    const giveUp = new AbortController()
    const forever = server.serveForever({ signal: giveUp.signal })
    const stops = [server.stop({ graceMs: 5000 }), server.stop({ graceMs: 1 }), server.stop()]
    giveUp.abort()
    client.resume()
    await once(client, 'end')
    client.end()
    const [report, ...others] = await Promise.all(stops)
    expect(others).toEqual([report, report])
    expect(others.every((other) => other === report)).toBe(true)
    expect(report).toMatchObject({ drained: 1, aborted: 0 })
    await forever
    await server.closed
    expect(await server.stop()).toBe(report)
    expect(server.state).toBe('closed')
    const [refused] = (await once(
      net.connect(server.address as net.TcpNetConnectOpts),
      'error',
    )) as [NodeJS.ErrnoException]
    expect(refused.code).toBe('ECONNREFUSED')
  },
)
