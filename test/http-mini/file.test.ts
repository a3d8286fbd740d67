import { mkdir, symlink, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { beforeEach, describe, expect, it } from 'vitest'
import { BLOCK_BYTES } from '../../src/http-mini/file-body.js'
import { file, type FileOptions } from '../../src/http-mini/file.js'
import { fakeRequest, type FakeRequestOptions } from '../support/fake-request.js'
import { seen, type SeenResponse } from '../support/seen-response.js'
import { rejection } from '../support/settled.js'
import { temporaryFolder } from '../support/wire.js'

const CHANGED = new Date('2026-01-02T03:04:05.678Z')
const LAST_MODIFIED = 'Fri, 02 Jan 2026 03:04:05 GMT'
const LETTERS = 'abcdefghijklmnopqrstuvwxyz'

let folder: string

/** Writes a file that was changed long ago. */
async function old(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, content)
  await utimes(path, CHANGED, CHANGED)
  return path
}

beforeEach(async () => {
  folder = await temporaryFolder()
})

function get(
  path: string | URL,
  request: FakeRequestOptions = {},
  options: FileOptions = {},
): Promise<SeenResponse> {
  return seen(() => file(path, { request: fakeRequest('/', request), ...options }))
}

const range = async (path: string, field: string, more = {}): Promise<SeenResponse> =>
  await get(path, { headers: { range: field, ...more } })

describe('file()', () => {
  it('sends a file with its type, its length and its validators', async () => {
    const path = await old('letters.txt', LETTERS)
    const { headers, ...rest } = await get(path)
    expect(rest).toEqual({ status: 200, length: 26, body: LETTERS })
    expect(headers).toEqual({
      'content-type': 'text/plain; charset=utf-8',
      'last-modified': LAST_MODIFIED,
      'accept-ranges': 'bytes',
      'cache-control': 'no-cache',
      'x-content-type-options': 'nosniff',
      etag: expect.stringMatching(/^"[0-9a-z]+-[0-9a-z]+"$/),
    })
    expect(await get(pathToFileURL(path))).toMatchObject({ headers, body: LETTERS })
    expect(await seen(() => file(path))).toMatchObject({ status: 200, headers, body: LETTERS })
  })

  it('takes what it is told of the type, the cache and other fields', async () => {
    const path = await old('x', 'x')
    const options = { contentType: 'text/x', cacheControl: 'max-age=1', headers: { 'x-a': 'b' } }
    expect((await get(path, {}, options)).headers).toMatchObject({
      'content-type': 'text/x',
      'cache-control': 'max-age=1',
      'x-a': 'b',
    })
    expect((await get(path, {}, { cacheControl: false })).headers).not.toHaveProperty(
      'cache-control',
    )
    expect((await get(path)).headers).toMatchObject({ 'content-type': 'application/octet-stream' })
  })

  it('lets fields of one’s own take the place of its own, whatever their case', async () => {
    const path = await old('x.txt', 'x')
    const own = { 'CACHE-CONTROL': 'no-store', 'content-type': 'text/x', Link: ['<a>', '<b>'] }
    const { headers } = await file(path, { headers: own })
    expect(headers.getAll('cache-control')).toEqual(['no-store'])
    expect(headers.getAll('content-type')).toEqual(['text/x'])
    expect(headers.getAll('link')).toEqual(['<a>', '<b>'])
  })

  it('sends an empty file, and one of several blocks', async () => {
    expect(await get(await old('empty', ''))).toMatchObject({ status: 200, length: 0, body: '' })
    const large = Buffer.alloc(2 * BLOCK_BYTES + 1, 'x')
    const { length, body } = await get(await old('large', large))
    expect({ length, isSame: body === large.toString() }).toEqual({
      length: large.length,
      isSame: true,
    })
  })

  it('says how long the answer to HEAD would be, and ignores its range', async () => {
    const path = await old('letters.txt', LETTERS)
    const whole = await get(path, { method: 'HEAD' })
    expect(whole).toMatchObject({ status: 200, length: 26 })
    expect(await get(path, { method: 'HEAD', headers: { range: 'bytes=0-1' } })).toEqual(whole)
  })

  it('is 404 for what is no file', async () => {
    await mkdir(join(folder, 'dir'))
    for (const name of ['missing', 'dir', 'dir/..', 'dangling', 'a\0b'.slice(0, 1)]) {
      await expect(get(join(folder, name))).resolves.toMatchObject({ status: 404 })
    }
  })

  it('follows links, since the path is the program’s own', async () => {
    await old('letters.txt', LETTERS)
    await symlink('letters.txt', join(folder, 'link.html'))
    expect(await get(join(folder, 'link.html'))).toMatchObject({
      status: 200,
      headers: { 'content-type': 'text/html; charset=utf-8' },
      body: LETTERS,
    })
  })

  it('has a tag of its own for each length and time', async () => {
    const tags = new Set<string | undefined>()
    const path = await old('x', 'aa')
    tags.add((await get(path)).headers['etag'])
    await old('x', 'aaa')
    tags.add((await get(path)).headers['etag'])
    await utimes(path, CHANGED, new Date(CHANGED.getTime() + 1))
    tags.add((await get(path)).headers['etag'])
    expect(tags.size).toBe(3)
  })

  it('has a weak tag while one more change could fall on the same time', async () => {
    const path = join(folder, 'new')
    await writeFile(path, 'x')
    const etag = (await get(path)).headers['etag'] ?? ''
    expect(etag).toMatch(/^W\/"/)
    expect(await get(path, { headers: { 'if-none-match': etag } })).toMatchObject({ status: 304 })
    expect(await range(path, 'bytes=0-0', { 'if-range': etag })).toMatchObject({ status: 200 })
  })

  it('becomes 304 without what the client has', async () => {
    const path = await old('letters.txt', LETTERS)
    const { etag = '' } = (await get(path)).headers
    const unchanged = {
      status: 304,
      headers: { etag, 'cache-control': 'no-cache' },
      length: undefined,
      body: '',
    }
    expect(await get(path, { headers: { 'if-none-match': etag } })).toEqual(unchanged)
    expect(await get(path, { headers: { 'if-modified-since': LAST_MODIFIED } })).toEqual(unchanged)
    const both = { 'if-none-match': etag, range: 'bytes=0-0' }
    expect(await get(path, { headers: both })).toEqual(unchanged)
  })

  it('is 412 when a condition does not hold', async () => {
    const path = await old('letters.txt', LETTERS)
    expect(await get(path, { headers: { 'if-match': '"x"' } })).toMatchObject({ status: 412 })
  })

  it('sends a range, with which bytes of how many', async () => {
    const path = await old('letters.txt', LETTERS)
    for (const [field, part, text] of [
      ['bytes=0-0', '0-0', 'a'],
      ['bytes=-3', '23-25', 'xyz'],
      ['bytes=10-', '10-25', 'klmnopqrstuvwxyz'],
      ['bytes=0-1000', '0-25', LETTERS],
      ['bytes=0-1,1-3', '0-3', 'abcd'],
    ] as const) {
      expect(await range(path, field)).toMatchObject({
        status: 206,
        length: text.length,
        body: text,
        headers: {
          'content-range': `bytes ${part}/26`,
          'content-type': 'text/plain; charset=utf-8',
          etag: expect.any(String),
          'last-modified': LAST_MODIFIED,
        },
      })
    }
  })

  it('sends a large range block by block', async () => {
    const bytes = Buffer.alloc(3 * BLOCK_BYTES, LETTERS)
    const path = await old('large', bytes)
    const { body, length } = await range(path, `bytes=5-${2 * BLOCK_BYTES + 4}`)
    expect(length).toBe(2 * BLOCK_BYTES)
    expect(body === bytes.subarray(5, 2 * BLOCK_BYTES + 5).toString()).toBe(true)
  })

  it('sends several ranges as parts', async () => {
    const path = await old('letters.txt', LETTERS.repeat(10))
    const { status, headers, length, body } = await range(path, 'bytes=0-1, 100-102, -1')
    expect(status).toBe(206)
    expect(headers).not.toHaveProperty('content-range')
    const [, boundary = ''] =
      /^multipart\/byteranges; boundary=(\S+)$/.exec(headers['content-type'] ?? '') ?? []
    expect(length).toBe(body.length)
    const part = (which: string, text: string): string =>
      `\r\n--${boundary}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes ${which}/260\r\n\r\n${text}`
    expect(body).toBe(
      `${part('0-1', 'ab')}${part('100-102', 'wxy')}${part('259-259', 'z')}\r\n--${boundary}--\r\n`,
    )
    const again = await range(path, 'bytes=0-1, 100-102, -1')
    expect(again.headers['content-type']).not.toBe(headers['content-type'])
  })

  it('is 416 with the length when no range has a byte', async () => {
    const path = await old('letters.txt', LETTERS)
    expect(await range(path, 'bytes=26-')).toMatchObject({
      status: 416,
      headers: { 'content-range': 'bytes */26' },
    })
  })

  it('sends the whole for a range that is ignored, or whose If-Range does not hold', async () => {
    const path = await old('letters.txt', LETTERS)
    const { etag = '' } = (await get(path)).headers
    const whole = { status: 200, body: LETTERS }
    expect(await range(path, 'lines=0-1')).toMatchObject(whole)
    expect(await range(path, 'bytes=0-1', { 'if-range': '"x"' })).toMatchObject(whole)
    expect(await range(path, 'bytes=99-', { 'if-range': '"x"' })).toMatchObject(whole)
    for (const field of [etag, LAST_MODIFIED]) {
      expect(await range(path, 'bytes=0-1', { 'if-range': field })).toMatchObject({ body: 'ab' })
    }
    expect(await seen(() => file(path))).toMatchObject(whole)
  })

  it('throws in the body when the file has become shorter since', async () => {
    const path = await old('large', Buffer.alloc(2 * BLOCK_BYTES))
    const { body } = await file(path)
    await truncate(path, 10)
    const blocks = (body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
    await blocks.next()
    expect(await rejection(blocks.next())).toMatchObject({
      message: expect.stringContaining('the file became shorter while it was sent'),
    })
  })

  it('passes on what the system says of a file that cannot be read', async () => {
    expect(await rejection(file('/proc/1/mem'))).toMatchObject({ code: expect.any(String) })
  })
})
