/**
 * 10.2 An API server. `npm run example 10.2 8080` serves until Ctrl+C; without a port it asks itself, and ends.
 *
 * The tutorial's server answers 200 where it means 404, dies on a request line that has no three words and on a field
 * without a colon, waits for ever when a client leaves in the middle of a head, believes any `delay`, keeps no limit at
 * all, and closes the connection after each answer.
 */
import { sleep } from 'standpipe/concurrency'
import { HttpError, json, Router, startHttpServer } from 'standpipe/http-mini'

const MAX_DELAY_S = 60

const router = new Router()
  .all('/', ({ method }) => ({ message: 'Welcome', method }))
  .get('/api/data', async ({ query, signal }) => {
    await sleep(10, { signal }) // ends when the client has gone
    const data = [1, 2, 3].map((id) => ({ id, name: `Item ${id}` }))
    return { data, query: Object.fromEntries(query), total: data.length }
  })
  .get('/api/slow', async ({ query, signal }) => {
    const delay = Number(query.get('delay') ?? 1)
    if (!(delay >= 0 && delay <= MAX_DELAY_S)) {
      throw new HttpError(400, `delay must be from 0 to ${MAX_DELAY_S} s`)
    }
    await sleep(delay * 1_000, { signal })
    return { message: `Delayed response after ${delay} seconds`, delay }
  })
  .onError((error, { path }) => {
    if (!(error instanceof HttpError)) throw error // is logged, and answered with 500
    const { status, headers = {} } = error // of 405 the methods that are allowed
    return json({ error: error.message, path }, { status, headers })
  })

const [port] = process.argv.slice(2).map(Number)
const server = await startHttpServer(router, { port: port ?? 0 })
const { host } = server.address
console.log(`the server listens on http://${host}${port === undefined ? '' : `:${port}`}`)

const stopped = new AbortController()
process.once('SIGINT', () => stopped.abort())
const serving = server.serveForever({ signal: stopped.signal })

if (port === undefined) {
  const base = `http://${host}:${server.address.port}`
  for (const path of [
    '/',
    '/api/data?page=2',
    '/api/slow?delay=0.1',
    '/api/slow?delay=soon',
    '/api/missing',
  ]) {
    const response = await fetch(base + path)
    console.log(`GET ${path}: ${response.status} ${await response.text()}`)
  }
  const response = await fetch(`${base}/api/data`, { method: 'DELETE' })
  console.log(`DELETE /api/data: ${response.status}, allowed: ${response.headers.get('allow')}`)
  stopped.abort()
}

await serving
console.log('the server has stopped')

// Prints:
// the server listens on http://127.0.0.1
// GET /: 200 {"message":"Welcome","method":"GET"}
// GET /api/data?page=2: 200 {"data":[{"id":1,"name":"Item 1"},{"id":2,"name":"Item 2"},{"id":3,"name":"Item 3"}],"query":{"page":"2"},"total":3}
// GET /api/slow?delay=0.1: 200 {"message":"Delayed response after 0.1 seconds","delay":0.1}
// GET /api/slow?delay=soon: 400 {"error":"delay must be from 0 to 60 s","path":"/api/slow"}
// GET /api/missing: 404 {"error":"there is nothing by that path","path":"/api/missing"}
// DELETE /api/data: 405, allowed: GET, HEAD, OPTIONS
// the server has stopped
