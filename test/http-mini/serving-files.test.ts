/** Files as clients get them, over TCP. */
import { randomBytes } from 'node:crypto'
import { readdirSync, readlinkSync } from 'node:fs'
import { mkdir, realpath, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { Router } from '../../src/http-mini/router.js'
import { staticFiles } from '../../src/http-mini/static-files.js'
import type { Server } from '../../src/server/start-server.js'
import { eventually } from '../support/eventually.js'
import { begin, fetchFrom } from '../support/http-fetch.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { serveHttp } from '../support/serve-http.js'
import { rejection } from '../support/settled.js'
import { temporaryFolder } from '../support/wire.js'

guardAgainstLeaks()

const MIB = 1024 * 1024
let folder: string
let server: Server
let port: number

beforeEach(async () => {
  folder = await realpath(await temporaryFolder())
  const router = new Router().get('/*path', staticFiles(folder))
  ;({ server, port } = await serveHttp(router))
})

async function old(name: string, content: string | Uint8Array): Promise<void> {
  await writeFile(join(folder, name), content)
  await utimes(join(folder, name), 1_000_000_000, 1_000_000_000)
}

/** Whether this process has the file open. */
function isOpen(name: string): boolean {
  return readdirSync('/proc/self/fd').some((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === join(folder, name)
    } catch {
      return false
    }
  })
}

describe('staticFiles(), served,', () => {
  test('gives a small file and a large one, byte for byte', async () => {
    for (const bytes of [randomBytes(1000), randomBytes(5 * MIB + 3)]) {
      await old('file.bin', bytes)
      const { status, headers, body } = await fetchFrom(port, '/file.bin')
      expect({ status, length: headers['content-length'] }).toEqual({
        status: 200,
        length: String(bytes.length),
      })
      expect(body.equals(bytes)).toBe(true)
    }
  })

  test('answers HEAD with the length and no body, and then the next request', async () => {
    await old('file.bin', randomBytes(MIB))
    const { status, headers, body } = await fetchFrom(port, '/file.bin', { method: 'HEAD' })
    expect({ status, length: headers['content-length'], body: body.length }).toEqual({
      status: 200,
      length: String(MIB),
      body: 0,
    })
    expect(isOpen('file.bin')).toBe(false)
  })

  test('gives ranges, one and several', async () => {
    const bytes = randomBytes(MIB)
    await old('file.bin', bytes)
    const one = await fetchFrom(port, '/file.bin', { headers: { range: 'bytes=100-300099' } })
    expect({ status: one.status, range: one.headers['content-range'] }).toEqual({
      status: 206,
      range: `bytes 100-300099/${MIB}`,
    })
    expect(one.body.equals(bytes.subarray(100, 300_100))).toBe(true)
    const several = await fetchFrom(port, '/file.bin', { headers: { range: 'bytes=0-9,-9' } })
    expect(several.status).toBe(206)
    expect(several.headers['content-length']).toBe(String(several.body.length))
    expect(several.body.includes(bytes.subarray(0, 10))).toBe(true)
    expect(several.body.includes(bytes.subarray(-9))).toBe(true)
  })

  test('answers 304, 404, 405, 412 and 416 with their fields', async () => {
    await old('a.txt', 'abc')
    const { etag = '' } = (await fetchFrom(port, '/a.txt')).headers
    const ask = async (path: string, headers = {}): Promise<object> => {
      const answer = await fetchFrom(port, path, { headers })
      return { status: answer.status, range: answer.headers['content-range'] }
    }
    expect(await ask('/a.txt', { 'if-none-match': etag })).toEqual({ status: 304 })
    expect(await ask('/a.txt', { 'if-match': '"x"' })).toEqual({ status: 412 })
    expect(await ask('/a.txt', { range: 'bytes=3-' })).toEqual({ status: 416, range: 'bytes */3' })
    for (const path of [
      '/b.txt',
      '/../a.txt',
      '/%2e%2e/a.txt',
      '/..%2f..%2fetc/passwd',
      '//a.txt',
    ]) {
      expect(await ask(path)).toEqual({ status: 404 })
    }
    expect(await ask('/%zz')).toEqual({ status: 400 })
  })

  test('sends a folder to its slash', async () => {
    await mkdir(join(folder, 'docs'))
    await old('docs/index.html', '<p>')
    const { status, headers } = await fetchFrom(port, '/docs?a=1')
    expect({ status, location: headers.location }).toEqual({ status: 301, location: '/docs/?a=1' })
    const { body, headers: fields } = await fetchFrom(port, '/docs/')
    expect(body.toString()).toBe('<p>')
    expect(fields['content-type']).toBe('text/html; charset=utf-8')
  })

  test('reads a large file as the client takes it, and closes it when the client leaves', async () => {
    const bytes = randomBytes(32 * MIB)
    await old('large.bin', bytes)
    const response = await begin(port, '/large.bin')
    response.pause()
    const connection = [...server.connections][0]
    if (connection === undefined) throw new Error('there is no connection')
    let before = -1
    await eventually(() => {
      const isStill = connection.bytesWritten === before
      before = connection.bytesWritten
      return isStill
    })
    expect(connection.bytesWritten).toBeLessThan(bytes.length)
    expect(connection.writer.bufferedBytes).toBeLessThanOrEqual(MIB)
    expect(isOpen('large.bin')).toBe(true)
    response.on('error', () => {})
    response.destroy()
    await eventually(() => !isOpen('large.bin'))
    await eventually(() => server.stats.open === 0)
  })

  test('gives it whole to a client that takes its time', async () => {
    const bytes = randomBytes(16 * MIB)
    await old('large.bin', bytes)
    const response = await begin(port, '/large.bin')
    let length = 0
    let at = 0
    for await (const chunk of response as AsyncIterable<Buffer>) {
      expect(chunk.equals(bytes.subarray(at, at + chunk.length))).toBe(true)
      at += chunk.length
      length += chunk.length
      if (length > MIB) {
        length = 0
        await new Promise<void>((resolve) => setImmediate(resolve))
      }
    }
    expect(at).toBe(bytes.length)
    await eventually(() => !isOpen('large.bin'))
  })

  test('cuts the connection when the file becomes shorter, and pads nothing', async () => {
    const bytes = randomBytes(32 * MIB)
    await old('large.bin', bytes)
    const response = await begin(port, '/large.bin')
    expect(response.headers['content-length']).toBe(String(bytes.length))
    response.pause()
    await truncate(join(folder, 'large.bin'), 24 * MIB)
    const received = (async () => {
      let at = 0
      for await (const chunk of response as AsyncIterable<Buffer>) {
        expect(chunk.equals(bytes.subarray(at, at + chunk.length))).toBe(true)
        at += chunk.length
      }
    })()
    expect(await rejection(received)).toMatchObject({ code: 'ECONNRESET' })
    await eventually(() => !isOpen('large.bin'))
  })
})

test('a route that is for every method lets files answer for themselves', async () => {
  await old('a.txt', 'a')
  const router = new Router().route('/files/*path', staticFiles(folder))
  const other = await serveHttp(router)
  const answer = await fetchFrom(other.port, '/files/a.txt', { method: 'DELETE' })
  expect({ status: answer.status, allow: answer.headers['allow'] }).toEqual({
    status: 405,
    allow: 'GET, HEAD, OPTIONS',
  })
})
