/** `asyncio.as_completed()`: results in the order in which they come. */
import { asCompleted, sleep } from 'standpipe/concurrency'

async function ask(name: string, ms: number): Promise<string> {
  await sleep(ms)
  return `answer of ${name}`
}

for await (const answer of asCompleted([ask('c', 60), ask('a', 20), ask('b', 40)])) {
  console.log(answer)
}

// Prints:
// answer of a
// answer of b
// answer of c
