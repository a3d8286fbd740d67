import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import net from 'node:net'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { Router } from '../../src/http-mini/router.js'
import { staticFiles, type StaticFilesOptions } from '../../src/http-mini/static-files.js'
import { fakeRequest, type FakeRequestOptions } from '../support/fake-request.js'
import { seen, type SeenResponse } from '../support/seen-response.js'
import { rejection } from '../support/settled.js'
import { temporaryFolder } from '../support/wire.js'

/** The user that owns nothing. */
const NOBODY = 65_534

const OLD = new Date('2026-01-02T03:04:05Z')
let base: string
let root: string

async function write(name: string, content = name): Promise<void> {
  const path = join(root, name)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, content)
  await utimes(path, OLD, OLD)
}

beforeEach(async () => {
  base = await temporaryFolder()
  root = join(base, 'site')
  for (const name of [
    'index.html',
    'a b.txt',
    'größe.txt',
    'docs/index.html',
    'docs/page.html',
    'empty/.keep',
    '.secret',
  ]) {
    await write(name)
  }
  await write('../outside.txt', 'outside')
})

async function get(
  target: string,
  request: FakeRequestOptions = {},
  options: StaticFilesOptions = {},
): Promise<SeenResponse> {
  const router = new Router().route('/files/*path', staticFiles(root, options))
  return await seen(() => router.handle(fakeRequest(target, request)))
}

describe('staticFiles()', () => {
  it.each([
    ['/files/index.html', 'index.html'],
    ['/files/a%20b.txt', 'a b.txt'],
    ['/files/gr%C3%B6%C3%9Fe.txt', 'größe.txt'],
    ['/files/docs/page.html?x=y', 'docs/page.html'],
    ['/files/', 'index.html'],
    ['/files/docs/', 'docs/index.html'],
  ])('sends for %s %s', async (target, name) => {
    const { status, body } = await get(target)
    expect({ status, body: Buffer.from(body, 'latin1').toString() }).toEqual({
      status: 200,
      body: name,
    })
  })

  it.each([
    '/files/missing',
    '/files/index.html/',
    '/files/docs/page.html/x',
    '/files//index.html',
    '/files/docs//page.html',
    '/files/docs//',
    '/files/.secret',
    '/files/empty/',
    '/files/empty',
    '/files/empty/.keep',
    '/files/../outside.txt',
    '/files/%2e%2e/outside.txt',
    '/files/..%2Foutside.txt',
    '/files/docs%2Fpage.html',
    '/files/..%5Coutside.txt',
    '/files/index.html%00',
    '/files/index.html%00.txt',
    `/files/${'x'.repeat(500)}`,
    '/files',
  ])('is 404 for %s', async (target) => {
    expect(await get(target)).toMatchObject({ status: 404, body: '' })
  })

  it('is 400 for a malformed path', async () => {
    expect(await get('/files/%zz')).toMatchObject({ status: 400 })
    expect(await seen(() => staticFiles(root)(fakeRequest('/%zz')))).toMatchObject({ status: 400 })
  })

  it('sends a folder to its path with a slash, with the query', async () => {
    expect(await get('/files/docs?a=b&c')).toMatchObject({
      status: 301,
      headers: { location: '/files/docs/?a=b&c' },
    })
    await write('a b/index.html')
    expect(await get('/files/a%20b')).toMatchObject({ headers: { location: '/files/a%20b/' } })
  })

  it('does so too where the router ignores the slash', async () => {
    const router = new Router({ ignoreTrailingSlash: true }).get('/files/*path', staticFiles(root))
    const ask = (target: string): Promise<SeenResponse> =>
      seen(() => router.handle(fakeRequest(target)))
    expect(await ask('/files')).toMatchObject({ status: 301, headers: { location: '/files/' } })
    expect(await ask('/files/')).toMatchObject({ status: 200 })
    expect(await ask('/files/docs')).toMatchObject({ status: 301 })
    expect(await ask('/files/docs/')).toMatchObject({ status: 200 })
  })

  it('never sends anybody to another host', async () => {
    await write('evil.example/index.html')
    const router = new Router().get('/*path', staticFiles(root))
    for (const target of ['//evil.example', '/\\evil.example', '/%2Fevil.example']) {
      expect(await seen(() => router.handle(fakeRequest(target)))).toMatchObject({ status: 404 })
    }
    expect(await seen(() => staticFiles(root)(fakeRequest('//evil.example')))).toMatchObject({
      status: 404,
    })
  })

  it('takes the whole path where there are no params', async () => {
    const site = staticFiles(pathToFileURL(root))
    expect(await seen(() => site(fakeRequest('/docs/page.html')))).toMatchObject({ status: 200 })
    expect(await seen(() => site(fakeRequest('/')))).toMatchObject({ body: 'index.html' })
    expect(await seen(() => site(fakeRequest('*')))).toMatchObject({ status: 404 })
  })

  it('does not leave the folder by links', async () => {
    await symlink('../outside.txt', join(root, 'outside.txt'))
    await symlink('..', join(root, 'up'))
    await symlink('docs/page.html', join(root, 'inside.html'))
    expect(await get('/files/outside.txt')).toMatchObject({ status: 404 })
    expect(await get('/files/up/outside.txt')).toMatchObject({ status: 404 })
    expect(await get('/files/inside.html')).toMatchObject({ status: 200, body: 'docs/page.html' })
  })

  it('takes the type from the name that was asked for', async () => {
    await write('bundle', 'code')
    await symlink('bundle', join(root, 'app.js'))
    expect(await get('/files/app.js')).toMatchObject({
      headers: { 'content-type': 'text/javascript; charset=utf-8' },
      body: 'code',
    })
    expect(await get('/files/bundle')).toMatchObject({
      headers: { 'content-type': 'application/octet-stream' },
    })
  })

  it('sends hidden files where it is told to', async () => {
    expect(await get('/files/.secret', {}, { hidden: true })).toMatchObject({ body: '.secret' })
  })

  it('has another index, or none', async () => {
    expect(await get('/files/docs/', {}, { index: 'page.html' })).toMatchObject({
      body: 'docs/page.html',
    })
    expect(await get('/files/docs/', {}, { index: false })).toMatchObject({ status: 404 })
    expect(await get('/files/docs', {}, { index: false })).toMatchObject({ status: 404 })
    await mkdir(join(root, 'odd/index.html'), { recursive: true })
    expect(await get('/files/odd/')).toMatchObject({ status: 404 })
  })

  it('is for GET and HEAD alone', async () => {
    const allow = 'GET, HEAD, OPTIONS'
    const head = await get('/files/index.html', { method: 'HEAD' })
    expect(head).toMatchObject({ status: 200, length: 10 })
    for (const method of ['POST', 'PUT', 'DELETE', 'BREW']) {
      expect(await get('/files/index.html', { method })).toMatchObject({
        status: 405,
        headers: { allow },
      })
    }
    expect(await get('/files/index.html', { method: 'OPTIONS' })).toMatchObject({
      status: 204,
      headers: { allow },
    })
  })

  it('has conditions, ranges and fields as file() has them', async () => {
    const { etag = '' } = (await get('/files/index.html')).headers
    const not = { headers: { 'if-none-match': etag } }
    expect(await get('/files/index.html', not)).toMatchObject({ status: 304 })
    const some = { headers: { range: 'bytes=0-4' } }
    expect(await get('/files/index.html', some)).toMatchObject({ status: 206, body: 'index' })
    const options = { cacheControl: 'max-age=5', headers: { 'x-a': 'b' } }
    const { headers } = await get('/files/index.html', {}, options)
    expect(headers).toMatchObject({ 'cache-control': 'max-age=5', 'x-a': 'b' })
    expect(headers).not.toHaveProperty('vary')
  })

  it('sends what lies compressed beside a file to who takes it', async () => {
    await write('app.js', 'plain')
    await write('app.js.br', 'bytes')
    await write('app.js.gz', 'zippy')
    await write('old.js', 'plain')
    await write('old.js.gz', 'zippy')
    await mkdir(join(root, 'old.js.br'))
    const ask = (name: string, accept?: string): Promise<SeenResponse> =>
      get(
        `/files/${name}`,
        accept === undefined ? {} : { headers: { 'accept-encoding': accept } },
        { precompressed: true },
      )
    const type = { 'content-type': 'text/javascript; charset=utf-8', vary: 'Accept-Encoding' }
    const tags = new Set<string | undefined>()
    for (const [name, accept, coding, body] of [
      ['app.js', 'gzip, br', 'br', 'bytes'],
      ['app.js', 'gzip, br;q=0.5', 'gzip', 'zippy'],
      ['old.js', 'gzip, br', 'gzip', 'zippy'],
    ] as const) {
      const answer = await ask(name, accept)
      expect(answer).toMatchObject({ body, headers: { ...type, 'content-encoding': coding } })
      tags.add(answer.headers['etag'])
    }
    for (const [name, accept] of [
      ['app.js', undefined],
      ['app.js', 'deflate'],
      ['old.js', 'br'],
    ] as const) {
      const answer = await ask(name, accept)
      expect(answer).toMatchObject({ body: 'plain', headers: type })
      expect(answer.headers).not.toHaveProperty('content-encoding')
      tags.add(answer.headers['etag'])
    }
    expect(tags.size).toBe(3)
    const etag = (await ask('app.js', 'br')).headers['etag'] ?? ''
    const headers = { 'accept-encoding': 'br', 'if-none-match': etag }
    expect(await get('/files/app.js', { headers }, { precompressed: true })).toMatchObject({
      status: 304,
      headers: { etag, vary: 'Accept-Encoding' },
    })
    headers['accept-encoding'] = 'gzip'
    expect(await get('/files/app.js', { headers }, { precompressed: true })).toMatchObject({
      status: 200,
    })
  })

  it('does not look for what is compressed unless it is told to', async () => {
    await write('app.js', 'plain')
    await write('app.js.gz', 'gzip')
    const accept = { headers: { 'accept-encoding': 'gzip' } }
    expect(await get('/files/app.js', accept)).toMatchObject({ body: 'plain' })
    await write('gone.js.gz', 'gzip')
    expect(await get('/files/gone.js', accept, { precompressed: true })).toMatchObject({
      status: 404,
    })
  })

  it('is 403 for what the system does not let it read', async () => {
    await chmod(base, 0o755)
    await chmod(root, 0o755)
    await chmod(join(root, 'a b.txt'), 0)
    await chmod(join(root, 'docs'), 0)
    // Nothing is closed to root.
    const isRoot = process.getuid?.() === 0
    if (isRoot) process.seteuid?.(NOBODY)
    try {
      expect(await get('/files/a%20b.txt')).toMatchObject({ status: 403 })
      expect(await get('/files/docs/page.html')).toMatchObject({ status: 403 })
    } finally {
      if (isRoot) process.seteuid?.(0)
    }
    await chmod(join(root, 'docs'), 0o700)
  })

  it('is 404 for what is neither a file nor a folder, and waits for none of it', async () => {
    execFileSync('mkfifo', [join(root, 'pipe')])
    const listener = net.createServer().listen(join(root, 'socket'))
    await once(listener, 'listening')
    onTestFinished(() => void listener.close())
    expect(await get('/files/pipe')).toMatchObject({ status: 404 })
    expect(await get('/files/socket')).toMatchObject({ status: 404 })
    await symlink('/dev/zero', join(root, 'zero'))
    expect(await get('/files/zero')).toMatchObject({ status: 404 })
  })

  it('passes on what else the system says', async () => {
    const site = staticFiles(root)
    await rm(root, { recursive: true })
    const error = await rejection(Promise.resolve(site(fakeRequest('/index.html'))))
    expect(error).toMatchObject({ code: 'ENOENT' })
  })

  it('refuses a folder that is not there', () => {
    expect(() => staticFiles(join(base, 'none'))).toThrow(RangeError)
    expect(() => staticFiles(join(root, 'index.html'))).toThrow('folder must be one that is there')
  })
})
