/** `standpipe http` as its clients, its log and its scripts see it. */
import http from 'node:http'
import { mkdir, realpath, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  listening,
  runCommand,
  startCommand,
  type CommandOptions,
  type Echo,
} from '../support/command.js'
import { eventually } from '../support/eventually.js'
import { fetchFrom, type FetchOptions } from '../support/http-fetch.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { dial, receiveAll, send, temporaryFolder } from '../support/wire.js'

guardAgainstLeaks()

/** Starts `standpipe http` on a free port, unless told otherwise, and waits until it listens. */
async function startHttp(
  args: readonly string[] = [],
  options: CommandOptions = {},
): Promise<Echo> {
  const where = args.includes('--listen') ? [] : ['--port', '0']
  return await listening(startCommand(['http', '--json', ...where, ...args], options))
}

async function ask(port: number, path: string, options?: FetchOptions): Promise<unknown> {
  const { status, headers, body } = await fetchFrom(port, path, options)
  const isJson = headers['content-type']?.startsWith('application/json') === true
  return [status, isJson ? (JSON.parse(body.toString()) as unknown) : body.toString()]
}

/** The records of the log that are about requests. */
function accesses({ stderr }: { readonly stderr: string }): Record<string, unknown>[] {
  return stderr
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter((record) => 'method' in record)
}

describe('standpipe http', () => {
  test('says in words where it listens, by default on 127.0.0.1:8080', async () => {
    const { stdout } = await runCommand(['http', '--help'])
    expect(stdout.toString()).toMatch(/--port <port>[^(]*\(default: 8080/)
    const command = startCommand(['http', '--port', '0'])
    await command.says(/^standpipe http: listening on 127\.0\.0\.1:\d+ \(Ctrl\+C stops it\)\n/)
    command.kill('SIGTERM')
    expect(await command.ended).toMatchObject({ code: 0 })
  })

  test('answers as the server of the tutorial does', async () => {
    const { port } = await startHttp()
    expect(await ask(port, '/')).toEqual([
      200,
      {
        message: 'Welcome to standpipe http',
        method: 'GET',
        timestamp: expect.any(Number),
      },
    ])
    expect(await ask(port, '/', { method: 'POST', body: 'x' })).toMatchObject([
      200,
      { method: 'POST' },
    ])
    expect(await ask(port, '/api/data?page=2&tag=a&tag=b%20c&__proto__=x')).toEqual([
      200,
      {
        data: [
          { id: 1, name: 'Item 1' },
          { id: 2, name: 'Item 2' },
          { id: 3, name: 'Item 3' },
        ],
        query_params: JSON.parse('{"page":["2"],"tag":["a","b c"],"__proto__":["x"]}'),
        total: 3,
      },
    ])
    expect(await ask(port, '/api/slow?delay=0.05')).toEqual([
      200,
      { message: 'Delayed response after 0.05 seconds', delay: 0.05 },
    ])
  })

  test('answers what it refuses as JSON too, with the status that it is', async () => {
    const { port } = await startHttp()
    expect(await ask(port, '/missing')).toEqual([
      404,
      { error: 'there is nothing by that path', path: '/missing' },
    ])
    expect(await ask(port, '/api/data', { method: 'PUT' })).toMatchObject([
      405,
      { path: '/api/data' },
    ])
    const head = await fetchFrom(port, '/api/data', { method: 'PUT' })
    expect(head.headers['allow']).toBe('GET, HEAD, OPTIONS')
    for (const delay of ['x', '-1', '61', '1e3', 'Infinity', '']) {
      expect(await ask(port, `/api/slow?delay=${delay}`)).toEqual([
        400,
        { error: 'delay must be a number of seconds from 0 to 60', path: '/api/slow' },
      ])
    }
  })

  test('holds nobody up with a slow answer, and forgets it when its client leaves', async () => {
    const { command, port } = await startHttp()
    const slow = dial({ port })
    await send(slow, 'GET /api/slow?delay=60 HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(await ask(port, '/api/slow?delay=0')).toMatchObject([200, {}])
    slow.resetAndDestroy()
    await eventually(() => accesses(command).length === 2)
    expect(accesses(command)[1]).toMatchObject({
      path: '/api/slow?delay=60',
      status: 499,
      bytes: 0,
      cut: true,
    })
    command.kill('SIGTERM')
    expect(await command.ended).toMatchObject({ code: 0 })
  })

  test('logs each request: method, path, status, bytes, time, connection and peer', async () => {
    const { command, port } = await startHttp()
    await ask(port, '/api/data?x=1')
    await ask(port, '/missing')
    await fetchFrom(port, '/', { method: 'HEAD' })
    await eventually(() => accesses(command).length === 3)
    const [data, missing, head] = accesses(command)
    expect(data).toMatchObject({
      level: 'info',
      method: 'GET',
      path: '/api/data?x=1',
      status: 200,
      bytes: expect.any(Number),
      ms: expect.any(Number),
      conn: expect.any(Number),
      peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    })
    expect(data?.['bytes']).toBeGreaterThan(100)
    expect(missing).toMatchObject({ status: 404 })
    expect(head).toMatchObject({ method: 'HEAD', status: 200 })
  })

  test('--log-level warn logs no requests', async () => {
    const { command, port } = await startHttp(['--log-level', 'warn'])
    await ask(port, '/')
    command.kill('SIGTERM')
    expect(accesses(await command.ended)).toEqual([])
  })

  test('sends the files of a folder, and the API where there is none', async () => {
    const folder = await realpath(await temporaryFolder())
    await mkdir(join(folder, 'docs'))
    await writeFile(join(folder, 'docs/index.html'), '<p>docs')
    await writeFile(join(folder, '.secret'), 'secret')
    const { command, port } = await startHttp([folder])
    expect(await ask(port, '/docs/')).toEqual([200, '<p>docs'])
    expect(await ask(port, '/')).toMatchObject([200, { method: 'GET' }])
    expect(await ask(port, '/api/data')).toMatchObject([200, { total: 3 }])
    for (const path of ['/.secret', '/missing', '/../etc/passwd']) {
      expect(await ask(port, path)).toEqual([404, { error: 'there is nothing by that path', path }])
    }
    await writeFile(join(folder, 'index.html'), '<p>home')
    expect(await ask(port, '/')).toEqual([200, '<p>home'])
    await eventually(() => accesses(command).length === 7)
    expect(accesses(command)[0]).toMatchObject({
      path: '/docs/',
      status: 200,
      bytes: expect.any(Number),
    })
  })

  test('--precompressed sends what lies beside a file', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'a.js'), 'plain')
    await writeFile(join(folder, 'a.js.gz'), 'gzip!')
    const accept = { headers: { 'accept-encoding': 'gzip' } }
    const { port } = await startHttp([folder, '--precompressed'])
    expect((await fetchFrom(port, '/a.js', accept)).headers['content-encoding']).toBe('gzip')
    const plain = await startHttp([folder])
    expect((await fetchFrom(plain.port, '/a.js', accept)).headers).not.toHaveProperty(
      'content-encoding',
    )
  })

  test('a folder that is not there is exit 2', async () => {
    const { code, stderr } = await runCommand(['http', '/no/such/folder', '--port', '0'])
    expect(code).toBe(2)
    expect(stderr).toMatch(/^standpipe http: '\/no\/such\/folder' is no folder[^\n]*\n$/)
  })

  test('listens on a Unix socket', async () => {
    const path = join(await temporaryFolder(), 's')
    await startHttp(['--listen', `unix:${path}`, '--mode', '600'])
    const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
      http.get({ socketPath: path, path: '/', agent: false }, resolve).on('error', reject)
    })
    response.resume()
    expect(response.statusCode).toBe(200)
    await eventually(() => response.complete)
  })

  test('answers at SIGTERM what was asked, then ends: exit 0', async () => {
    const { command, port } = await startHttp()
    const peer = dial({ port })
    await send(peer, 'GET /api/slow?delay=1.5 HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(await ask(port, '/')).toMatchObject([200, {}])
    command.kill('SIGTERM')
    const received = receiveAll(peer)
    const text = (await received).bytes.toString()
    expect(text).toMatch(/^HTTP\/1\.1 200 /)
    expect(text).toMatch(/^connection: close\r$/im)
    peer.end()
    expect((await command.ended).code).toBe(0)
  })

  test('a second SIGTERM cuts at once: exit 1', async () => {
    const { command, port } = await startHttp(['--grace', '1h'])
    const peer = dial({ port })
    await send(peer, 'GET /api/slow?delay=60 HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(await ask(port, '/')).toMatchObject([200, {}])
    command.kill('SIGTERM')
    await command.says(/draining/)
    command.kill('SIGTERM')
    expect((await command.ended).code).toBe(1)
  })

  test('--header-timeout and --keep-alive end who does not go on', async () => {
    const { port } = await startHttp(['--header-timeout', '200ms', '--keep-alive', '200ms'])
    const begun = dial({ port })
    await send(begun, 'GET / HTTP/1.1\r\n')
    expect((await receiveAll(begun)).bytes.toString()).toMatch(/^HTTP\/1\.1 408 /)
    const idle = dial({ port })
    await send(idle, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    const { bytes, end } = await receiveAll(idle)
    expect(bytes.toString()).toMatch(/^HTTP\/1\.1 200 /)
    expect(end).toBe('end')
  })

  test('--max-connections tells who is too many in HTTP', async () => {
    const { port } = await startHttp(['--max-connections', '1'])
    const first = dial({ port })
    await send(first, 'GET /api/slow?delay=60 HTTP/1.1\r\nHost: a\r\n\r\n')
    const second = dial({ port })
    const { bytes } = await receiveAll(second)
    expect(bytes.toString()).toMatch(/^HTTP\/1\.1 503 [^]*connection: close/i)
  })

  test('a guard that is off is warned of', async () => {
    const { command } = await startHttp(['--header-timeout', 'off'])
    const [warning] = await command.says(/.*--header-timeout is off.*/)
    expect(JSON.parse(warning)).toMatchObject({ level: 'warn', flag: '--header-timeout' })
  })
})
