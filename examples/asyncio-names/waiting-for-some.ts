/** `asyncio.wait()` in its three modes, and with a time limit: none of the tasks is cancelled, and none consumed. */
import { settle, sleep } from 'standpipe/concurrency'

async function ask(name: string, ms: number): Promise<string> {
  await sleep(ms)
  if (name === 'slow') throw new Error('no answer')
  return `answer of ${name}`
}

const names = new Map([
  [ask('fast', 20), 'fast'],
  [ask('slow', 60), 'slow'],
  [ask('last', 100), 'last'],
])
const tasks = [...names.keys()]
const namesOf = (some: Iterable<Promise<string>>): string =>
  [...some].map((task) => names.get(task)).join(', ') || 'none'

const atOnce = await settle(tasks, { timeoutMs: 5 })
console.log(`after a while: done ${namesOf(atOnce.done)}, pending ${namesOf(atOnce.pending)}`)

const first = await settle(tasks, { until: 'first' })
console.log(`first: done ${namesOf(first.done)}, pending ${namesOf(first.pending)}`)

const failure = await settle(tasks, { until: 'first-failure' })
console.log(`first failure: done ${namesOf(failure.done)}, pending ${namesOf(failure.pending)}`)

const all = await settle(tasks)
console.log(`all: done ${namesOf(all.done)}, pending ${namesOf(all.pending)}`)

// Where the results are all that matters, the language has it.
console.log(`race: ${await Promise.race([ask('a', 10), ask('b', 50)])}`)
console.log(`any: ${await Promise.any([ask('slow', 10), ask('b', 50)])}`)

// Prints:
// after a while: done none, pending fast, slow, last
// first: done fast, pending slow, last
// first failure: done fast, slow, pending last
// all: done fast, slow, last, pending none
// race: answer of a
// any: answer of b
