/** A small site on this machine, so that the examples that fetch need no other. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { sleep } from 'standpipe/concurrency'

const PAGES: Readonly<Record<string, string>> = {
  '/': '<title>Home</title> <a href="/news">news</a> <a href="about.html">about</a>',
  '/news':
    '<title>News</title> <a href="/">home</a> <a href="/news/1">one</a> <a href="/gone">?</a>',
  '/news/1':
    '<title>It is noon</title> <a href="/news">news</a> <a href="https://example.com/">x</a>',
  '/about.html': '<p>There is no title here. <a href="/news#latest">news</a></p>',
}

export interface LocalSite extends AsyncDisposable {
  /** `http://127.0.0.1:…` */
  readonly url: string
}

/** `/delay/MS` answers after so many milliseconds; `/json` with an object; and there are a few pages with links. */
export async function startLocalSite(): Promise<LocalSite> {
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    const [, delayMs = '0'] = /^\/delay\/(\d+)$/.exec(path) ?? []
    const page = PAGES[path]
    void sleep(Number(delayMs)).then(() => {
      if (page !== undefined) response.setHeader('content-type', 'text/html').end(page)
      else if (/^\/(delay\/\d+|json)$/.test(path)) response.end(JSON.stringify({ path }))
      else response.writeHead(404).end('not found')
    })
  })
  return {
    url: await listen(server),
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

/** An address at which nobody listens. */
export async function unusedUrl(): Promise<string> {
  const server = createServer()
  const url = await listen(server)
  server.close()
  return url
}

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
