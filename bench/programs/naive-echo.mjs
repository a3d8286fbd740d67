// The line echo that one writes by hand on node:net: split at newlines, one write for each line.
import net from 'node:net'
import { reportCpu } from './report-cpu.mjs'

const server = net.createServer({ noDelay: true }, (socket) => {
  socket.setEncoding('utf8')
  let rest = ''
  socket.on('data', (chunk) => {
    const parts = (rest + chunk).split('\n')
    rest = parts.pop()
    for (const line of parts) socket.write(`echo: ${line}\n`)
  })
  socket.on('error', () => socket.destroy())
})
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  reportCpu(server.address().port)
})
