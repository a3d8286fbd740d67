/** `asyncio.Queue`, `LifoQueue` and `PriorityQueue`, what does not wait, and the end of a queue. */
import { BoundedQueue, LifoBoundedQueue, PriorityBoundedQueue } from 'standpipe/concurrency'

const queues = {
  'first in, first out': new BoundedQueue<number>({ maxSize: 3 }),
  'last in, first out': new LifoBoundedQueue<number>({ maxSize: 3 }),
  'smallest first': new PriorityBoundedQueue<number>({ maxSize: 3, compare: (a, b) => a - b }),
}

for (const [name, queue] of Object.entries(queues)) {
  for (const item of [2, 3, 1]) await queue.put(item)
  console.log(`${name}: full ${queue.isFull}, one more ${queue.tryPut(4)}`) // put_nowait()
  const items: number[] = []
  let item: number | null | undefined
  while ((item = queue.tryGet()) != null) items.push(item) // get_nowait()
  console.log(`  ${items.join(' ')}, then ${String(item)}`)
}

// shutdown(): what is in can still be got, and a loop ends after it. shutdown(immediate=True) gives it back.
const queue = queues['first in, first out']
await queue.put(5)
await queue.put(6)
queue.close()
for await (const item of queue) {
  console.log(`got ${item}, dropped ${queue.close({ drain: false }).join(' ')}`)
}
console.log(`closed ${queue.isClosed}, empty ${queue.isEmpty}, then ${String(queue.tryGet())}`)

// Prints:
// first in, first out: full true, one more false
//   2 3 1, then undefined
// last in, first out: full true, one more false
//   1 3 2, then undefined
// smallest first: full true, one more false
//   1 2 3, then undefined
// got 5, dropped 6
// closed true, empty true, then null
