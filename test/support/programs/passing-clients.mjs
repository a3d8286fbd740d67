// COUNT clients that come and go at PORT of 127.0.0.1, some at a time: each sends a line, waits for the answer, ends and
// waits for the end. Prints a line of JSON when the last has gone: how many were answered, and how many were not.
import net from 'node:net'

const [port, count] = process.argv.slice(2).map(Number)
const AT_A_TIME = 100
/** Who ends first keeps a port for a minute. One address has 28,000. */
const ADDRESSES = 16

let begun = 0
let gone = 0
let answered = 0
const failures = []

function dial() {
  if (begun === count) return
  const number = begun++
  const line = `client ${number}\n`
  const localAddress = `127.0.1.${1 + (number % ADDRESSES)}`
  const socket = net.connect({ port, host: '127.0.0.1', localAddress })
  socket.setEncoding('utf8')
  let answer = ''
  socket.on('data', (text) => {
    answer += text
    if (answer === line) socket.end()
  })
  socket.on('error', (error) => failures.push(error.message))
  socket.on('close', () => {
    if (answer === line) answered++
    if (++gone === count) console.log(JSON.stringify({ answered, failures: failures.slice(0, 5) }))
    else dial()
  })
  socket.write(line)
}

for (let i = 0; i < AT_A_TIME; i++) dial()
