// The same answer on node:http, written as its documentation does.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { reportCpu } from './report-cpu.mjs'

const server = createServer((_request, response) => {
  response.setHeader('Content-Type', 'application/json')
  response.end('{"hello":"world"}')
})
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 })
await once(server, 'listening')
reportCpu(server.address().port)
