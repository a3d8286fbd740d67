/** A browser: Chromium without a window, with an empty profile, that sees nothing but this server. */
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { chromium, type BrowserContext, type Page } from 'playwright-core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { html, staticFiles } from '../../src/http-mini/index.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { programPath } from '../support/peers.js'
import { serveHttp } from '../support/serve-http.js'
import { temporaryFolder } from '../support/wire.js'
import { makeShop, type Shop } from './http-shop.js'

guardAgainstLeaks()

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-proxy-server',
]
const executablePath = programPath('chromium')

const PAGE = `<!doctype html><meta charset="utf-8"><title>shop</title><link rel="stylesheet" href="/files/style.css">
<link rel="icon" href="data:,"><p id="words">bücher</p><script type="module" src="/files/script.mjs"></script>`

interface Visit {
  readonly page: Page
  readonly shop: Shop
  readonly origin: string
  /** Of each file, by its name. */
  readonly hashes: Readonly<Record<string, string>>
}

async function visit(): Promise<Visit> {
  const folder = await temporaryFolder()
  const hashes = await writeFiles(join(folder, 'files'))
  const shop = makeShop()
  shop.router.get('/page', () => html(PAGE)).get('/files/*path', staticFiles(join(folder, 'files')))
  const { origin } = await serveHttp(shop.router)
  const context: BrowserContext = await chromium.launchPersistentContext(join(folder, 'profile'), {
    executablePath: executablePath as string,
    headless: true,
    args: FLAGS,
  })
  onTestFinished(async () => {
    await context.close()
  })
  const page = await context.newPage()
  await page.goto(`${origin}/page`)
  return { page, shop, origin, hashes }
}

async function writeFiles(folder: string): Promise<Record<string, string>> {
  const files: Record<string, Buffer> = {
    'style.css': Buffer.from('#words { color: rgb(1, 2, 3) }'),
    'script.mjs': Buffer.from("document.body.dataset.ran = 'yes'"),
    'small.bin': randomBytes(1),
    'empty.bin': Buffer.alloc(0),
    'large.bin': randomBytes(5_000_000),
    'a name with spaces & ümlaut.txt': Buffer.from('words'),
  }
  await mkdir(folder)
  const hashes: Record<string, string> = {}
  for (const [name, bytes] of Object.entries(files)) {
    await writeFile(join(folder, name), bytes)
    hashes[name] = createHash('sha256').update(bytes).digest('hex')
  }
  return hashes
}

describe.skipIf(executablePath === undefined)('Chromium', () => {
  test('shows a page with its style and its module, and has every file as it is', async () => {
    const { page, hashes } = await visit()
    expect(await page.title()).toBe('shop')
    expect(await page.locator('#words').textContent()).toBe('bücher')
    await page.waitForFunction('document.body.dataset.ran === "yes"')
    expect(await page.evaluate('getComputedStyle(document.querySelector("#words")).color')).toBe(
      'rgb(1, 2, 3)',
    )
    const seen = await page.evaluate(`(async () => {
      const hashes = {}
      for (const name of ${JSON.stringify(Object.keys(hashes))}) {
        const bytes = await (await fetch('/files/' + encodeURIComponent(name), { cache: 'no-store' })).arrayBuffer()
        const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
        hashes[name] = Array.from(digest, (octet) => octet.toString(16).padStart(2, '0')).join('')
      }
      return hashes
    })()`)
    expect(seen).toEqual(hashes)
  })

  test('has the parts of a stream as they are made', async () => {
    const { page, shop } = await visit()
    await page.evaluate(`(async () => {
      window.reader = (await fetch('/gated')).body.pipeThrough(new TextDecoderStream()).getReader()
    })()`)
    expect(await page.evaluate('window.reader.read()')).toEqual({ done: false, value: 'first' })
    shop.gate.resolve()
    expect(await page.evaluate('window.reader.read()')).toEqual({ done: false, value: 'second' })
    expect(await page.evaluate('window.reader.read()')).toMatchObject({ done: true })
  })

  test('that gives up an answer is noticed', async () => {
    const { page, shop } = await visit()
    await page.evaluate(`(async () => {
      const controller = new AbortController()
      const { body } = await fetch('/endless', { signal: controller.signal })
      await body.getReader().read()
      controller.abort()
    })()`)
    expect(await shop.left.promise).toBeUndefined()
  })

  test('comes back for events with the id of the last one', async () => {
    const { page, shop } = await visit()
    const events = await page.evaluate(`new Promise((resolve) => {
      const seen = []
      const source = new EventSource('/events')
      source.onmessage = ({ data, lastEventId }) => {
        seen.push(lastEventId + ': ' + data)
        if (seen.length < 3) return
        source.close()
        resolve(seen)
      }
    })`)
    expect(events).toEqual(['1: event 1', '2: event 2', '3: event 3'])
    expect(shop.lastEventIds.slice(0, 3)).toEqual([undefined, '1', '2'])
  })

  test('posts a form’s bytes', async () => {
    const { page } = await visit()
    const echo = await page.evaluate(`(async () => {
      const answer = await fetch('/echo', { method: 'POST', body: new URLSearchParams({ a: 'ü', b: '&' }) })
      return await answer.text()
    })()`)
    expect(echo).toBe('a=%C3%BC&b=%26')
  })
})
