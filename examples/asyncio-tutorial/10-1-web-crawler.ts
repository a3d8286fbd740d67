/**
 * 10.1 A crawler: from one page to all that it links to on the same site, so many at a time.
 *
 * The tutorial's crawler looks whether it has seen an address, waits for its turn, and notes it only then, so that what
 * two pages link to is fetched twice. It counts an error page as a success, and reads whatever a site sends for as long
 * as it sends.
 */
import { sleep, TaskPool, withTimeout } from 'standpipe/concurrency'
import { startLocalSite } from './local-site.js'

interface Page {
  readonly path: string
  readonly isReached: boolean
  readonly outcome: string
  readonly links: readonly string[]
}

/** Arbitrary: longer than any page that people read. */
const MAX_CHARACTERS = 1_000_000

class Crawler {
  readonly #pool: TaskPool
  readonly #pauseMs: number
  readonly #seen = new Set<string>()

  constructor({ maxConcurrent, pauseMs }: { maxConcurrent: number; pauseMs: number }) {
    this.#pool = new TaskPool({ limit: maxConcurrent })
    this.#pauseMs = pauseMs
  }

  /** Gives the pages that can be reached from a start, those that are nearer first. */
  async *crawl(start: string): AsyncGenerator<Page> {
    for (let level = this.#unseen([start]); level.length > 0;) {
      const found: string[] = []
      for await (const page of this.#pool.map(level, (url, signal) => this.#visit(url, signal))) {
        found.push(...page.links)
        yield page
      }
      level = this.#unseen(found)
    }
  }

  async #visit(url: string, signal: AbortSignal): Promise<Page> {
    const { pathname: path } = new URL(url)
    try {
      const html = await withTimeout((inner) => htmlOf(url, inner), 5_000, { signal })
      await sleep(this.#pauseMs, { signal }) // not too much at once for the site
      const title = /<title>([^<]*)<\/title>/i.exec(html)?.[1] ?? 'no title'
      const links = linksOf(html, url)
      return { path, isReached: true, outcome: `${title}, ${links.length} links`, links }
    } catch (error) {
      return { path, isReached: false, outcome: (error as Error).message, links: [] }
    }
  }

  /** Those that are new, each once; from now on they are not. */
  #unseen(urls: readonly string[]): string[] {
    return urls.filter((url) => !this.#seen.has(url) && this.#seen.add(url))
  }
}

/** The text of a page. Throws for an error page, and for one that is too long. */
async function htmlOf(url: string, signal: AbortSignal): Promise<string> {
  const response = await fetch(url, { signal })
  if (!response.ok) {
    await response.body?.cancel()
    throw new Error(`error ${response.status}`)
  }
  const decoder = new TextDecoder()
  let html = ''
  for await (const chunk of response.body ?? []) {
    html += decoder.decode(chunk as Uint8Array, { stream: true })
    if (html.length > MAX_CHARACTERS) throw new Error('too long')
  }
  return html + decoder.decode()
}

/** Where a page links to on its own site. */
function linksOf(html: string, url: string): string[] {
  const { origin } = new URL(url)
  return [...html.matchAll(/<a href="([^"]*)"/g)]
    .map(([, link = '']) => new URL(link, url))
    .filter((link) => link.origin === origin)
    .map(({ pathname }) => origin + pathname)
}

await using site = await startLocalSite()
const crawler = new Crawler({ maxConcurrent: 3, pauseMs: 10 })
const pages: Page[] = []
for await (const page of crawler.crawl(`${site.url}/`)) {
  pages.push(page)
  console.log(`${page.path}: ${page.outcome}`)
}
const reached = pages.filter(({ isReached }) => isReached).length
console.log(`${reached} pages are reached, ${pages.length - reached} are not`)

// Prints:
// /: Home, 2 links
// /news: News, 3 links
// /about.html: no title, 1 links
// /news/1: News 1, 1 links
// /gone: error 404
// 4 pages are reached, 1 are not
