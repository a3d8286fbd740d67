/** A small site on this machine, so that the examples that fetch need no other. */
import { startServer } from 'standpipe'
import { sleep } from 'standpipe/concurrency'
import { html, Router, startHttpServer } from 'standpipe/http-mini'

/** No request is kept for longer. */
const MAX_DELAY_MS = 1_000

export interface LocalSite extends AsyncDisposable {
  /** `http://127.0.0.1:…` */
  readonly url: string
}

/** `/delay/MS` answers after so many milliseconds, `/json` with an object; and there are a few pages with links. */
export async function startLocalSite(): Promise<LocalSite> {
  const router = new Router()
    .get('/', () => html('<title>Home</title> <a href="/news">n</a> <a href="about.html">a</a>'))
    .get('/news', () =>
      html('<title>News</title> <a href="/">h</a> <a href="/news/1">1</a> <a href="/gone">?</a>'),
    )
    .get('/news/:number', ({ params }) =>
      html(
        `<title>News ${params.number}</title> <a href="/news">n</a> <a href="http://x.test/">x</a>`,
      ),
    )
    .get('/about.html', () => html('<p>There is no title here. <a href="/news#latest">n</a></p>'))
    .get('/json', ({ path }) => ({ path }))
    .get('/delay/:ms', async ({ path, params, signal }) => {
      await sleep(Math.min(Number(params.ms) || 0, MAX_DELAY_MS), { signal })
      return { path }
    })
  const server = await startHttpServer(router)
  return {
    url: urlOf(server.address),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

/** An address at which nobody listens. */
export async function unusedUrl(): Promise<string> {
  const server = await startServer(() => {})
  await server.stop()
  return urlOf(server.address)
}

function urlOf({ host, port }: { host: string; port: number }): string {
  return `http://${host}:${port}`
}
