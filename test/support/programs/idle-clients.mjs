// Opens COUNT connections to PORT of 127.0.0.1, some at a time, and holds them without a word; prints a line when all are
// open, and one with the number of those that were reset when all have ended.
import net from 'node:net'

const [port, count] = process.argv.slice(2).map(Number)
const AT_A_TIME = 200

let begun = 0
let open = 0
let gone = 0
let resets = 0

function dial() {
  if (begun === count) return
  begun++
  const socket = net.connect({ port, host: '127.0.0.1' }, () => {
    if (++open === count) console.log('open')
    else dial()
  })
  socket.on('error', () => resets++)
  socket.on('close', () => {
    if (++gone === count) console.log(resets)
  })
  socket.resume()
}

for (let i = 0; i < AT_A_TIME; i++) dial()
