/** Paths of all kinds, none of which gets at what lies beside the folder. */
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Router } from '../../src/http-mini/router.js'
import { staticFiles } from '../../src/http-mini/static-files.js'
import { fakeRequest } from '../support/fake-request.js'
import { seen } from '../support/seen-response.js'
import { temporaryFolder } from '../support/wire.js'

/** What a path may be made of to find its way out, or to what is hidden, with several ways to write each. */
const PIECES = [
  '..',
  '.',
  '',
  'a',
  'docs',
  'up',
  'site',
  'outside.txt',
  '.secret',
  '...',
  '\\',
  '\0',
  '%',
  '~',
]
const WRITTEN = [
  (piece: string) => piece,
  (piece: string) => encodeURIComponent(piece),
  (piece: string) => piece.replaceAll('.', '%2e'),
  (piece: string) => piece.replaceAll('.', '%252e'),
  (piece: string) => piece.replaceAll('.', '%c0%ae'),
  (piece: string) => Buffer.from(piece).toString('hex').replaceAll(/../g, '%$&'),
]
const SEPARATORS = ['/', '/', '/', '//', '%2F', '%2f', '%5C', '%252F', ';', '%00/']

const piece = fc
  .tuple(fc.constantFrom(...PIECES), fc.constantFrom(...WRITTEN), fc.constantFrom(...SEPARATORS))
  .map(([text, write, separator]) => write(text) + separator)
const path = fc
  .tuple(
    fc.constantFrom('/', '/files/', '/api/files/'),
    fc.array(piece, { maxLength: 6 }),
    fc.boolean(),
  )
  .map(([start, pieces, isFolder]) => {
    const all = start + pieces.join('')
    return isFolder ? all : all.replace(/\/$/, '')
  })

describe('staticFiles(), as a property', () => {
  it('answers any path, and none with what it must not send', async () => {
    const base = await temporaryFolder()
    const root = join(base, 'site')
    await mkdir(join(root, 'docs'), { recursive: true })
    for (const name of ['a', 'index.html', 'docs/a', 'docs/index.html']) {
      await writeFile(join(root, name), `inside ${name}`)
    }
    for (const name of ['.secret', 'docs/.secret', '../outside.txt', '../a', '../index.html']) {
      await writeFile(join(root, name), 'forbidden')
    }
    await symlink('..', join(root, 'up'))
    await symlink('../../outside.txt', join(root, 'docs/up'))
    const router = new Router()
      .get('/files/*path', staticFiles(root))
      .get('/*path', staticFiles(root, { precompressed: true }))
      .mount(
        '/api',
        new Router({ ignoreTrailingSlash: true }).get('/files/*path', staticFiles(root)),
      )

    let served = 0
    const property = fc.asyncProperty(path, async (target) => {
      const { status, headers, body } = await seen(() => router.handle(fakeRequest(target)))
      expect([200, 301, 400, 404]).toContain(status)
      expect(body).not.toContain('forbidden')
      if (status === 200) served++
      expect(headers['location'] ?? '/ok/').toMatch(/^\/(?!\/)[^\\]*\/$/)
    })
    await fc.assert(property, { numRuns: 1500 })
    expect(served).toBeGreaterThan(0)
  })
})
