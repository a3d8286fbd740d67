// An HTTP server in a process of its own: `/` is a word, `/document` the file that the argument names. It prints its
// port; for each line on stdin it prints its memory and its counts.
import { createInterface } from 'node:readline'
import { file, startHttpServer } from '../../../dist/http-mini/index.js'

const [document] = process.argv.slice(2)
const server = await startHttpServer((request) =>
  request.path === '/document' ? file(document, { request }) : 'hello',
)
console.log(JSON.stringify({ port: server.address.port }))

let mostRss = 0
setInterval(() => {
  mostRss = Math.max(mostRss, process.memoryUsage.rss())
}, 20).unref()
createInterface({ input: process.stdin }).on('line', () => {
  const rss = process.memoryUsage.rss()
  console.log(JSON.stringify({ rss, mostRss: Math.max(mostRss, rss), ...server.stats }))
})
