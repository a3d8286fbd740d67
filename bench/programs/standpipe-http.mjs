// One small JSON answer on http-mini, with every default on. The argument names the kind of handler.
import { json, Router, startHttpServer } from '../../dist/http-mini/index.js'
import { reportCpu } from './report-cpu.mjs'

const BODY = { hello: 'world' }

const handlers = {
  plain: () => json(BODY),
  async: async () => {
    await Promise.resolve()
    return json(BODY)
  },
  router: new Router()
    .get('/', () => json(BODY))
    .get('/users/:id', ({ params }) => json(params))
    .post('/users', async (request) => json(await request.json())),
}

const server = await startHttpServer(handlers[process.argv[2]], { backlog: 4096 })
reportCpu(server.address.port)
