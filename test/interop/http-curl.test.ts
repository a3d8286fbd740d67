/** curl, with what its users ask of it. */
import { createHash, randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { RunningCommand } from '../support/command.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { isMissing } from '../support/peers.js'
import { serveHttp } from '../support/serve-http.js'
import { temporaryFolder } from '../support/wire.js'
import { makeShop } from './http-shop.js'

guardAgainstLeaks()

interface Answer {
  readonly stdout: Buffer
  readonly stderr: string
}

async function curl(...args: readonly string[]): Promise<Answer> {
  const command = new RunningCommand('curl', ['-sS', '--noproxy', '*', ...args], {})
  const { code, stdout, stderr } = await command.ended
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
  return { stdout, stderr }
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

describe.skipIf(isMissing('curl'))('curl', () => {
  test.each([
    ['--http1.1', '1.1'],
    ['--http1.0', '1.1'],
  ])('gets a text with %s', async (flag, version) => {
    const { origin } = await serveHttp(makeShop().router)
    const { stdout } = await curl('-i', flag, `${origin}/`)
    const [headOfAnswer = '', body] = stdout.toString().split('\r\n\r\n')
    expect(headOfAnswer).toMatch(new RegExp(`^HTTP/${version} 200 OK\r\n`))
    expect(body).toBe('hello\n')
  })

  test('asks twice on one connection', async () => {
    const shop = makeShop()
    const { origin, server } = await serveHttp(shop.router)
    const { stdout } = await curl('-w', '%{num_connects} ', `${origin}/`, `${origin}/json`)
    expect(stdout.toString()).toBe('hello\n1 {"hello":"world"}0 ')
    expect(server.stats.accepted).toBe(1)
  })

  test('asks HTTP/1.0 twice on one connection when it says keep-alive', async () => {
    const { origin, server } = await serveHttp(makeShop().router)
    const flags = ['--http1.0', '-H', 'Connection: keep-alive']
    const { stdout } = await curl(...flags, '-w', '%{num_connects} ', `${origin}/`, `${origin}/`)
    expect(stdout.toString()).toBe('hello\n1 hello\n0 ')
    expect(server.stats.accepted).toBe(1)
  })

  test('sees the length and no body with HEAD', async () => {
    const { origin } = await serveHttp(makeShop().router)
    const { stdout } = await curl('-I', `${origin}/`)
    expect(stdout.toString()).toMatch(
      /^HTTP\/1\.1 200 OK\r\n(?:.+\r\n)*content-length: 6\r\n(?:.+\r\n)*\r\n$/i,
    )
  })

  test.each([
    ['a known length', []],
    ['chunks', ['-H', 'Transfer-Encoding: chunked']],
    [
      'chunks, HTTP/1.1 and Expect',
      ['-H', 'Transfer-Encoding: chunked', '-H', 'Expect: 100-continue'],
    ],
    ['a known length and HTTP/1.0', ['--http1.0']],
  ])('uploads with %s, and gets the same bytes back', async (_how, flags) => {
    const folder = await temporaryFolder()
    const bytes = randomBytes(700_000)
    await writeFile(join(folder, 'up'), bytes)
    const { origin } = await serveHttp(makeShop().router)
    const { stdout } = await curl(
      ...flags,
      '--data-binary',
      `@${join(folder, 'up')}`,
      `${origin}/echo`,
    )
    expect(sha256(stdout)).toBe(sha256(bytes))
  })

  test('is told to continue before it uploads', async () => {
    const { origin } = await serveHttp(makeShop().router)
    const { stdout, stderr } = await curl(
      '-v',
      '-H',
      'Expect: 100-continue',
      '-d',
      'hello',
      `${origin}/echo`,
    )
    expect(stdout.toString()).toBe('hello')
    expect(stderr).toMatch(/^< HTTP\/1\.1 100 Continue\r?$/m)
  })

  test('is not told to continue where nobody reads, and has its answer', async () => {
    const { origin } = await serveHttp(makeShop().router)
    const { stdout, stderr } = await curl(
      '-v',
      '-H',
      'Expect: 100-continue',
      '-d',
      'hello',
      `${origin}/`,
    )
    expect(stdout.toString()).not.toBe('')
    expect(stderr).not.toContain('100 Continue')
    expect(stderr).toMatch(/^< HTTP\/1\.1 405 /m)
  })

  test.each([
    ['a known length', []],
    ['chunks', ['-H', 'Transfer-Encoding: chunked']],
  ])('has its 413, and no reset, when it uploads too much with %s', async (_how, flags) => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'up'), randomBytes(3_000_000))
    const { origin } = await serveHttp(makeShop().router)
    const { stdout } = await curl(
      '-o',
      '-',
      '-w',
      '%{http_code}',
      ...flags,
      '-H',
      'Expect:',
      '--data-binary',
      `@${join(folder, 'up')}`,
      `${origin}/echo`,
    )
    expect(stdout.toString().slice(-3)).toBe('413')
  })

  test('has a stream as it is made', async () => {
    const shop = makeShop()
    shop.gate.resolve()
    const { origin } = await serveHttp(shop.router)
    const { stdout } = await curl('-N', `${origin}/gated`)
    expect(stdout.toString()).toBe('firstsecond')
  })

  test('has the chunks of a stream as they are on the wire', async () => {
    const shop = makeShop()
    shop.gate.resolve()
    const { origin } = await serveHttp(shop.router)
    const { stdout } = await curl('--raw', `${origin}/gated`)
    expect(stdout.toString()).toBe('5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n')
  })

  test.each([
    ['0-99', 0, 100],
    ['100-199', 100, 200],
    ['-50', -50, undefined],
    ['4950-', 4950, undefined],
  ])('has the range %s of a file', async (range, start, end) => {
    const folder = await temporaryFolder()
    const bytes = randomBytes(5000)
    await writeFile(join(folder, 'document'), bytes)
    const { origin } = await serveHttp(makeShop(join(folder, 'document')).router)
    const { stdout } = await curl('-w', '%{http_code}', '-r', range, `${origin}/document`)
    expect(stdout.subarray(-3).toString()).toBe('206')
    expect(sha256(stdout.subarray(0, -3))).toBe(sha256(bytes.subarray(start, end)))
  })

  test('goes on with a file where it was cut', async () => {
    const folder = await temporaryFolder()
    const bytes = randomBytes(100_000)
    await writeFile(join(folder, 'document'), bytes)
    await writeFile(join(folder, 'down'), bytes.subarray(0, 33_333))
    const { origin } = await serveHttp(makeShop(join(folder, 'document')).router)
    await curl('-C', '-', '-o', join(folder, 'down'), `${origin}/document`)
    expect(sha256(await readFile(join(folder, 'down')))).toBe(sha256(bytes))
  })

  test('is told 304 when it has the file', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'document'), 'words')
    const { origin } = await serveHttp(makeShop(join(folder, 'document')).router)
    const tag = join(folder, 'tag')
    await curl('--etag-save', tag, `${origin}/document`)
    const { stdout } = await curl('-w', '%{http_code}', '--etag-compare', tag, `${origin}/document`)
    expect(stdout.toString()).toBe('304')
  })

  test.each([
    ['an unknown path', ['/unknown'], '404'],
    ['a method that the path has not', ['-X', 'POST', '/json'], '405'],
    ['a method that no path has', ['-X', 'BREW', '/echo'], '501'],
    ['OPTIONS', ['-X', 'OPTIONS', '/echo'], '204'],
  ])('is told what there is of %s', async (_what, args, status) => {
    const { origin } = await serveHttp(makeShop().router)
    const path = args.at(-1) as string
    const { stdout } = await curl(
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}',
      ...args.slice(0, -1),
      `${origin}${path}`,
    )
    expect(stdout.toString()).toBe(status)
  })

  test('asks over a Unix socket', async () => {
    const path = join(await temporaryFolder(), 's')
    const { startHttpServer } = await import('../../src/http-mini/index.js')
    const server = await startHttpServer(makeShop().router, { path, logger: false })
    const { stdout } = await curl('--unix-socket', path, 'http://localhost/')
    expect(stdout.toString()).toBe('hello\n')
    await server.stop({ graceMs: 100 })
  })
})
