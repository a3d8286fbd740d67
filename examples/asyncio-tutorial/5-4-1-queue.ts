/**
 * 5.4.1 Producers and consumers with a bounded queue between them.
 *
 * The tutorial's program never ends. Its consumers call no `task_done()` for the `None` that ends them, and put it back
 * for the next one, so that `join()` waits for ever. And with two producers the first `None` ends all consumers, while
 * the other producer still has items to put. A queue is closed instead, when all producers are through: then a loop over
 * it ends by itself, after the last item.
 */
import { BoundedQueue, sleep } from 'standpipe/concurrency'

const queue = new BoundedQueue<string>({ maxSize: 5 })

async function produce(producer: number): Promise<void> {
  for (let i = 0; i < 5; i++) {
    const item = `producer-${producer}-item-${i}`
    console.log(`producer ${producer} has made ${item}`)
    await queue.put(item) // waits while five are in
    await sleep(20)
  }
  console.log(`producer ${producer} is done`)
}

async function consume(consumer: number): Promise<number> {
  let count = 0
  for await (const item of queue) {
    try {
      console.log(`consumer ${consumer} has got ${item}`)
      await sleep(20) // work
      count++
    } finally {
      queue.taskDone() // also when the work fails, or `join()` would wait for ever
    }
  }
  console.log(`consumer ${consumer} is done`)
  return count
}

const producers = Promise.all([1, 2].map(produce))
const consumers = Promise.all([1, 2, 3].map(consume))
await producers
await queue.join()
queue.close()
const counts = await consumers
console.log(`${counts.reduce((sum, count) => sum + count)} items are consumed`)

// Prints:
// producer 1 has made producer-1-item-0
// producer 2 has made producer-2-item-0
// consumer 1 has got producer-1-item-0
// consumer 2 has got producer-2-item-0
// producer 1 has made producer-1-item-1
// consumer 3 has got producer-1-item-1
// producer 2 has made producer-2-item-1
// consumer 1 has got producer-2-item-1
// producer 1 has made producer-1-item-2
// consumer 2 has got producer-1-item-2
// producer 2 has made producer-2-item-2
// consumer 3 has got producer-2-item-2
// producer 1 has made producer-1-item-3
// consumer 1 has got producer-1-item-3
// producer 2 has made producer-2-item-3
// consumer 2 has got producer-2-item-3
// producer 1 has made producer-1-item-4
// consumer 3 has got producer-1-item-4
// producer 2 has made producer-2-item-4
// consumer 1 has got producer-2-item-4
// producer 1 is done
// producer 2 is done
// consumer 2 is done
// consumer 3 is done
// consumer 1 is done
// 10 items are consumed
