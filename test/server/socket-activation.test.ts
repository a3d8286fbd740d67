/** Listening on a socket that was handed down. */
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import net from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { ListenError } from '../../src/errors.js'
import { lineEcho } from '../../src/server/line-echo.js'
import { listen } from '../../src/server/listen.js'
import { activatedSockets } from '../../src/server/socket-activation.js'
import { startServer, type ServerOptions } from '../../src/server/start-server.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { isMissing } from '../support/peers.js'
import { ACTIVATOR, run } from '../support/programs.js'
import { rejection } from '../support/settled.js'
import { dial, receiveAll, send, temporaryFolder } from '../support/wire.js'

guardAgainstLeaks()

const PID = 4711

describe('activatedSockets()', () => {
  test.each<[Record<string, string>, [number, string | undefined][]]>([
    [{}, []],
    [{ LISTEN_PID: '4711', LISTEN_FDS: '0' }, []],
    [{ LISTEN_PID: '4711', LISTEN_FDS: '1' }, [[3, undefined]]],
    [
      { LISTEN_PID: '4711', LISTEN_FDS: '3', LISTEN_FDNAMES: 'http:admin' },
      [
        [3, 'http'],
        [4, 'admin'],
        [5, undefined],
      ],
    ],
    [{ LISTEN_PID: '4711', LISTEN_FDS: '1', LISTEN_FDNAMES: '' }, [[3, undefined]]],
    [{ LISTEN_PID: '4712', LISTEN_FDS: '1' }, []],
    [{ LISTEN_FDS: '1' }, []],
    [{ LISTEN_PID: '4711' }, []],
  ])('makes of %j %j', (env, sockets) => {
    expect(activatedSockets(env, PID)).toEqual(sockets.map(([fd, name]) => ({ fd, name })))
  })

  test.each(['-1', 'two', '1.5', '', '1025', '99999999999'])(
    'refuses a LISTEN_FDS of %j',
    (count) => {
      expect(() => activatedSockets({ LISTEN_PID: '4711', LISTEN_FDS: count }, PID)).toThrow(
        new RangeError(`LISTEN_FDS must be a number of sockets, 0 to 1024, not ${count}`),
      )
    },
  )

  test('asks for the sockets of this process unless told of another', () => {
    const env = { LISTEN_PID: String(process.pid), LISTEN_FDS: '1' }
    expect(activatedSockets(env)).toEqual([{ fd: 3, name: undefined }])
  })
})

describe('startServer({ fd })', () => {
  test.skipIf(isMissing('python3'))(
    'serves on the TCP and the Unix socket that another program has opened, and leaves the latter’s file',
    async () => {
      const path = join(await temporaryFolder(), 's')
      const program = fileURLToPath(
        new URL('../support/programs/activated-server.mjs', import.meta.url),
      )
      const child = run('python3', [ACTIVATOR, path, process.execPath, program])
      const { sockets, remotes } = JSON.parse(await child.nextLine()) as {
        sockets: unknown
        remotes: [{ host: string; port: number }, { path: string }]
      }
      expect(sockets).toEqual([
        { fd: 3, name: 'tcp' },
        { fd: 4, name: 'unix' },
      ])
      expect(remotes).toEqual([{ host: '127.0.0.1', port: expect.any(Number) }, { path }])
      for (const address of remotes) {
        const client = dial(address)
        await send(client, 'hello\n')
        client.end()
        const { bytes } = await receiveAll(client)
        expect(bytes.toString()).toBe('Server received: hello\n')
      }
      child.child.stdin.end()
      expect(await child.ended).toBe(0)
      expect(existsSync(path)).toBe(true)
    },
  )

  test('finds out where a Unix socket is that it has not bound; where it cannot, the path is empty', async () => {
    const path = join(await temporaryFolder(), 's')
    const bound = net.createServer().listen({ path })
    onTestFinished(() => {
      bound.close()
    })
    await once(bound, 'listening')
    // Two handles of one loop cannot have the same descriptor, so the listener is a stand-in.
    const address = async (fd: number, told: net.AddressInfo | null): Promise<unknown> => {
      const listener = {
        once() {},
        removeListener() {},
        address: () => told,
      } as unknown as net.Server
      listener.listen = ((_options: unknown, done: () => void) => {
        done()
        return listener
      }) as net.Server['listen']
      return await listen(listener, { fd })
    }
    const { fd } = Reflect.get(bound, '_handle') as { fd: number }
    expect(await address(fd, null)).toEqual({ path: process.platform === 'linux' ? path : '' })
    expect(await address(19_999, null)).toEqual({ path: '' })
    const file = await open(fileURLToPath(import.meta.url))
    expect(await address(file.fd, null)).toEqual({ path: '' })
    await file.close()
    const tcp = { address: '::1', port: 7, family: 'IPv6' }
    expect(await address(fd, tcp)).toEqual({ host: '::1', port: 7 })
  })

  test('of what is no socket is a ListenError that names it', async () => {
    const file = await open(fileURLToPath(import.meta.url))
    for (const fd of [file.fd, 19_999]) {
      const error = await rejection(startServer(lineEcho(), { fd }))
      expect(error).toBeInstanceOf(ListenError)
      expect(error).toMatchObject({
        code: 'ERR_STANDPIPE_LISTEN',
        message: `listen on descriptor ${fd}: it is not a socket to listen on`,
      })
    }
    await file.close()
  })

  test.each<[string, ServerOptions, typeof TypeError | typeof RangeError]>([
    ['a number below 0', { fd: -1 }, RangeError],
    ['half a number', { fd: 3.5 }, RangeError],
    ['a port besides', { fd: 3, port: 1 }, TypeError],
    ['a host besides', { fd: 3, host: '::1' }, TypeError],
    ['a path besides', { fd: 3, path: '/tmp/x' }, TypeError],
    ['a mode besides', { fd: 3, mode: 0o600 }, TypeError],
  ])('refuses %s', async (_what, options, kind) => {
    await expect(startServer(lineEcho(), options)).rejects.toThrow(kind)
  })
})
