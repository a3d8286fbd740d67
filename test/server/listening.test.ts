/** Where a server listens, and what it says when it cannot. */
import { once } from 'node:events'
import { mkdir, readFile, rename, stat, symlink, writeFile } from 'node:fs/promises'
import net from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ListenError } from '../../src/errors.js'
import type { Handler } from '../../src/protocol/handler.js'
import { lineEcho } from '../../src/server/line-echo.js'
import { startServer, type Server, type ServerOptions } from '../../src/server/start-server.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { portOf, serve } from '../support/serve.js'
import { rejection } from '../support/settled.js'
import { dial, receiveAll, send, temporaryFolder } from '../support/wire.js'

guardAgainstLeaks()

const echo = lineEcho({ prefix: '' })

/** What the server answers to `hello`. */
async function greet(server: Server): Promise<string> {
  const client = dial(server.address)
  await send(client, 'hello\n')
  client.end()
  return (await receiveAll(client)).bytes.toString()
}

/** A Unix socket whose listener is gone without having removed it, as when a process was killed. */
async function leaveStaleSocket(path: string): Promise<void> {
  const listener = net.createServer()
  listener.listen(`${path}.moved`)
  await once(listener, 'listening')
  await rename(`${path}.moved`, path)
  listener.close()
  await once(listener, 'close')
}

async function canConnect(where: net.TcpNetConnectOpts): Promise<boolean> {
  const socket = net.connect(where)
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

describe('startServer()', () => {
  test('listens on a free port of 127.0.0.1 alone unless told where', async () => {
    const server = await serve(echo)
    const port = portOf(server.address)
    expect(server.address).toEqual({ host: '127.0.0.1', port })
    expect(port).toBeGreaterThan(0)
    expect(server.state).toBe('listening')
    expect(await greet(server)).toBe('hello\n')
    expect(await canConnect({ host: '127.0.0.2', port })).toBe(false)
    expect(await canConnect({ host: '::1', port })).toBe(false)
  })

  test('listens on IPv6', async () => {
    const server = await serve(echo, { host: '::1' })
    expect(server.address).toEqual({ host: '::1', port: portOf(server.address) })
    expect(await greet(server)).toBe('hello\n')
  })

  test('listens on every interface when told so', async () => {
    const server = await serve(echo, { host: '0.0.0.0' })
    expect(server.address).toMatchObject({ host: '0.0.0.0' })
    expect(await canConnect({ host: '127.0.0.2', port: portOf(server.address) })).toBe(true)
  })

  test('listens on a Unix socket with the mode that was asked for, and takes it away at the stop', async () => {
    const path = join(await temporaryFolder(), 's')
    const remotes: unknown[] = []
    const handler: Handler = async (connection) => {
      remotes.push(connection.remote)
      await echo(connection)
    }
    const server = await serve(handler, { path, mode: 0o600 })
    expect(server.address).toEqual({ path })
    const { mode } = await stat(path)
    expect((mode & 0o777).toString(8)).toBe('600')
    expect(await greet(server)).toBe('hello\n')
    expect(remotes).toEqual([{ path }])
    await server.stop()
    await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('takes a Unix socket away that a dead process has left', async () => {
    const path = join(await temporaryFolder(), 's')
    await leaveStaleSocket(path)
    expect((await stat(path)).isSocket()).toBe(true)
    const server = await serve(echo, { path })
    expect(await greet(server)).toBe('hello\n')
  })

  test('leaves a Unix socket alone on which somebody listens', async () => {
    const path = join(await temporaryFolder(), 's')
    const first = await serve(echo, { path })
    const error = await rejection(startServer(echo, { path }))
    expect(error).toBeInstanceOf(ListenError)
    expect(error).toMatchObject({
      code: 'ERR_STANDPIPE_ADDRESS_IN_USE',
      address: `unix:${path}`,
      retryable: true,
      message: `listen on unix:${path}: the address is in use`,
    })
    expect(await greet(first)).toBe('hello\n')
  })

  test('never deletes what is no socket: a file, a folder, a link', async () => {
    const folder = await temporaryFolder()
    const file = join(folder, 'file')
    await writeFile(file, 'precious')
    const sub = join(folder, 'sub')
    await mkdir(sub)
    const link = join(folder, 'link')
    await leaveStaleSocket(join(folder, 'stale'))
    await symlink(join(folder, 'stale'), link)
    for (const path of [file, sub, link]) {
      const error = await rejection(startServer(echo, { path }))
      expect(error).toMatchObject({ name: 'ListenError', code: 'ERR_STANDPIPE_LISTEN' })
    }
    expect(await readFile(file, 'utf8')).toBe('precious')
    expect((await stat(sub)).isDirectory()).toBe(true)
    expect((await stat(join(folder, 'stale'))).isSocket()).toBe(true)
  })

  test('with a port in use is an error that names it; the first keeps serving', async () => {
    const first = await serve(echo)
    const port = portOf(first.address)
    const error = await rejection(startServer(echo, { port }))
    expect(error).toBeInstanceOf(ListenError)
    expect(error).toMatchObject({
      name: 'ListenError',
      code: 'ERR_STANDPIPE_ADDRESS_IN_USE',
      address: `127.0.0.1:${port}`,
      retryable: true,
      message: `listen on 127.0.0.1:${port}: the address is in use`,
      cause: { code: 'EADDRINUSE' },
    })
    expect(await greet(first)).toBe('hello\n')
  })

  test('starts again on the same port right after a stop that had connections', async () => {
    const first = await serve(echo)
    const port = portOf(first.address)
    const clients = [dial(first.address), dial(first.address), dial(first.address)]
    for (const client of clients) await send(client, 'hello\n')
    const received = clients.map(receiveAll)
    const stopped = first.stop()
    await Promise.all(received)
    for (const client of clients) client.end()
    await stopped
    const second = await serve(echo, { port })
    expect(await greet(second)).toBe('hello\n')
  })

  test.each<[string, ServerOptions, string]>([
    ['an address of another machine', { host: '192.0.2.1' }, 'the address is not on this machine'],
    ['a name that does not exist', { host: 'no-such-host.invalid' }, ''],
    ['a folder that does not exist', { path: '/no/such/folder/s' }, 'no such file or folder'],
  ])('with %s is a ListenError', async (_what, options, words) => {
    const error = await rejection(startServer(echo, options))
    expect(error).toBeInstanceOf(ListenError)
    expect(error).toMatchObject({ code: 'ERR_STANDPIPE_LISTEN', retryable: false })
    expect((error as ListenError).message).toContain(words)
  })

  test.each<[string, ServerOptions, typeof TypeError | typeof RangeError]>([
    ['a port below 0', { port: -1 }, RangeError],
    ['a port above 65535', { port: 65_536 }, RangeError],
    ['half a port', { port: 80.5 }, RangeError],
    ['no host at all', { host: '' }, TypeError],
    ['a path and a port', { path: '/tmp/x', port: 1 }, TypeError],
    ['a path and a host', { path: '/tmp/x', host: '::1' }, TypeError],
    ['a limit of 0', { limit: 0 }, RangeError],
    ['a deadline of 0', { deadlines: { idleMs: 0 } }, RangeError],
    ['a deadline that is no number', { deadlines: { messageMs: Number.NaN } }, RangeError],
    ['marks the wrong way round', { highWaterMark: 1, lowWaterMark: 2 }, RangeError],
    ['a cap of 0', { maxBufferedBytes: 0 }, RangeError],
    ['a grace below 0', { graceMs: -1 }, RangeError],
    ['a grace that is no number', { graceMs: Number.NaN }, RangeError],
    ['a drain delay below 0', { drainDelayMs: -1 }, RangeError],
    ['a word that is none', { partial: 'maybe' as 'drop' }, TypeError],
    ['another word that is none', { invalidText: 'maybe' as 'error' }, TypeError],
  ])('refuses %s before it listens', async (_what, options, kind) => {
    await expect(startServer(echo, options)).rejects.toThrow(kind)
  })

  test('refuses a mode that is none, and leaves nothing behind', async () => {
    const path = join(await temporaryFolder(), 's')
    await expect(startServer(echo, { path, mode: -1 })).rejects.toThrow(RangeError)
    await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('refuses a handler that is no function', async () => {
    const handler = 'echo' as unknown as Handler
    await expect(startServer(handler)).rejects.toThrow('handler must be a function, not string')
  })

  test('with a signal that is aborted rejects with its reason, and listens nowhere', async () => {
    const reason = new Error('not today')
    expect(await rejection(startServer(echo, { signal: AbortSignal.abort(reason) }))).toBe(reason)
  })

  test('whose signal aborts while it starts rejects with the reason, and listens nowhere', async () => {
    const folder = await temporaryFolder()
    for (const where of [{}, { path: join(folder, 's') }]) {
      const giveUp = new AbortController()
      const reason = new Error('not today')
      const starting = startServer(echo, { ...where, signal: giveUp.signal })
      giveUp.abort(reason)
      expect(await rejection(starting)).toBe(reason)
    }
  })

  test('has done with its signal once it listens', async () => {
    const start = new AbortController()
    const server = await serve(echo, { signal: start.signal })
    start.abort()
    expect(await greet(server)).toBe('hello\n')
  })
})
