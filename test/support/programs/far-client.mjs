// A client that connects to HOST PORT, says hello, reads what comes, and stays; it prints a line when it is connected
// and one for each MiB that it has read.
import net from 'node:net'

const [host, port] = process.argv.slice(2)
const socket = net.connect({ host, port: Number(port) }, () => {
  socket.write('hello\n')
  console.log('connected')
})
let received = 0
socket.on('data', (chunk) => {
  const before = received >> 20
  received += chunk.length
  for (let mib = before; mib < received >> 20; mib++) console.log('another MiB')
})
socket.on('error', () => {})
