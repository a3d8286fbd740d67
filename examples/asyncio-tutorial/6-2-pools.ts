/**
 * 6.2 A pool of tasks: so many run at a time, the others wait for their turn. And a pool of connections, of which the
 * tutorial has the title only.
 *
 * The tutorial's `shutdown()` waits for the tasks that run and forgets those that still wait for their turn; and it goes
 * on taking new ones. Its `map()` makes a task of each item at once, however many there are. Here the source may be
 * endless, and `shutdown()` is the end.
 */
import { ClosedError, lineEcho, openConnection, startServer } from 'standpipe'
import { ResourcePool, sleep, TaskPool } from 'standpipe/concurrency'
import { startStopwatch } from './start-stopwatch.js'

async function work(item: number, ms: number): Promise<string> {
  console.log(`item ${item} begins`)
  await sleep(ms)
  console.log(`item ${item} is done`)
  return `result of item ${item}`
}

const pool = new TaskPool({ limit: 3 })
const items = Array.from({ length: 10 }, (_, i) => i + 1)
const elapsed = startStopwatch()
const results: string[] = []
for await (const result of pool.map(items, (item) => work(item, 50))) results.push(result)
console.log(`${results.length} items are done after ${elapsed()}`)

// Five tasks for a pool of three: two of them wait when it is shut down, and are run all the same.
const submitted = [11, 12, 13, 14, 15].map((item) => pool.submit(() => work(item, 50)))
console.log(`${pool.size} tasks are in the pool, ${pool.pending} of them wait`)
await pool.shutdown()
console.log(`${(await Promise.all(submitted)).length} tasks are done`)
const refusal: unknown = await pool.submit(() => work(16, 50)).catch((error: unknown) => error)
console.log(`one more is refused: ${refusal instanceof ClosedError}`)

// Connections are made when they are needed, two at most, and looked at before they are given to the next.
const server = await startServer(lineEcho({ prefix: 'echo: ' }))
let made = 0
const connections = new ResourcePool({
  max: 2,
  create: async (signal) => {
    const connection = await openConnection({ ...server.address, signal })
    made++
    return connection
  },
  validate: ({ state }) => state === 'open',
})

async function ask(question: string): Promise<string | null> {
  return connections.use(async ({ reader, writer }) => {
    writer.write(`${question}\n`)
    return reader.readLine({ timeoutMs: 5_000 })
  })
}

console.log((await Promise.all(['a', 'b', 'c', 'd', 'e'].map(ask))).join(', '))
console.log(`${made} connections were made`)
await connections.use((connection) => connection.abort()) // that one is lost
console.log((await Promise.all(['f', 'g'].map(ask))).join(', '))
console.log(`${made} connections were made`)
await connections.close()
await server.stop()

// Prints:
// item 1 begins
// item 2 begins
// item 3 begins
// item 1 is done
// item 4 begins
// item 2 is done
// item 5 begins
// item 3 is done
// item 6 begins
// item 4 is done
// item 7 begins
// item 5 is done
// item 8 begins
// item 6 is done
// item 9 begins
// item 7 is done
// item 10 begins
// item 8 is done
// item 9 is done
// item 10 is done
// 10 items are done after 0.2 s
// item 11 begins
// item 12 begins
// item 13 begins
// 5 tasks are in the pool, 2 of them wait
// item 11 is done
// item 14 begins
// item 12 is done
// item 15 begins
// item 13 is done
// item 14 is done
// item 15 is done
// 5 tasks are done
// one more is refused: true
// echo: a, echo: b, echo: c, echo: d, echo: e
// 2 connections were made
// echo: f, echo: g
// 3 connections were made
