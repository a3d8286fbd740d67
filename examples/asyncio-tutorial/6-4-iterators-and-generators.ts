/**
 * 6.4 Asynchronous iteration: `async for` is `for await`, an async generator is one.
 *
 * The tutorial's AsyncRange is its own iterator, so that a second loop over it finds nothing. What can be iterated over
 * gives each loop an iteration of its own. And a loop that is left ends its generator, `finally` included; in Python
 * that waits until the generator is collected as garbage, unless `aclosing()` is used. The kit has iterations such as
 * `range`, `interval`, `map` and `batch`, whose pauses end at once when a loop is left.
 */
import { range, sleep, take } from 'standpipe/concurrency'

class AsyncRange implements AsyncIterable<number> {
  readonly #start: number
  readonly #stop: number
  readonly #delayMs: number

  constructor(start: number, stop: number, delayMs: number) {
    this.#start = start
    this.#stop = stop
    this.#delayMs = delayMs
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<number> {
    for (let value = this.#start; value < this.#stop; value++) {
      await sleep(this.#delayMs)
      yield value
    }
  }
}

async function* dataGenerator(count: number, delayMs: number): AsyncGenerator<string> {
  try {
    for (let id = 0; id < count; id++) {
      await sleep(delayMs)
      yield `{ id: ${id}, value: ${(id * 37) % 100} }`
    }
  } finally {
    console.log('  the generator is closed')
  }
}

const numbers = new AsyncRange(1, 6, 10)
console.log('a range:')
for await (const number of numbers) console.log(`  number ${number}`)

console.log('the same range once more:')
for await (const number of numbers) {
  console.log(`  number ${number}`)
  if (number === 2) break
}

console.log('a generator:')
for await (const data of dataGenerator(5, 10)) console.log(`  data ${data}`)

console.log('a loop that is left:')
for await (const data of dataGenerator(5, 10)) {
  console.log(`  data ${data}`)
  break
}

console.log('the first of all numbers, from the kit:')
for await (const number of take(range(1, Infinity, { delayMs: 10 }), 3)) {
  console.log(`  number ${number}`)
}

// Prints:
// a range:
//   number 1
//   number 2
//   number 3
//   number 4
//   number 5
// the same range once more:
//   number 1
//   number 2
// a generator:
//   data { id: 0, value: 0 }
//   data { id: 1, value: 37 }
//   data { id: 2, value: 74 }
//   data { id: 3, value: 11 }
//   data { id: 4, value: 48 }
//   the generator is closed
// a loop that is left:
//   data { id: 0, value: 0 }
//   the generator is closed
// the first of all numbers, from the kit:
//   number 1
//   number 2
//   number 3
