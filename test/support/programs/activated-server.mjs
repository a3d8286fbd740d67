// A line-echo server on the built library, on the sockets that this process was handed; says on stdout which they
// are and where they listen, and stops at the end of stdin.
import { activatedSockets, lineEcho, startServer } from '../../../dist/index.js'

const sockets = activatedSockets(process.env)
const servers = await Promise.all(sockets.map(({ fd }) => startServer(lineEcho(), { fd })))
const remotes = servers.map(({ address }) => address)
console.log(JSON.stringify({ sockets, remotes }))

process.stdin.resume().on('end', () => {
  for (const server of servers) void server.stop()
})
