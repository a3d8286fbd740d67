/** 4.4 `gather()` is `Promise.all()`: results come in the order of the calls, whichever ends first. */
import { sleep } from 'standpipe/concurrency'
import { startStopwatch } from './start-stopwatch.js'

async function fetchData(name: string, delayMs: number): Promise<string> {
  console.log(`fetching ${name} ...`)
  await sleep(delayMs)
  console.log(`${name} are there`)
  return `data of ${name}`
}

const elapsed = startStopwatch()
console.log(`begun at ${elapsed()}`)
const results = await Promise.all([
  fetchData('users', 100),
  fetchData('orders', 200),
  fetchData('goods', 150),
])
console.log('all data are there:')
for (const result of results) console.log(`  - ${result}`)
console.log(`ended at ${elapsed()}`)

// Prints:
// begun at 0.0 s
// fetching users ...
// fetching orders ...
// fetching goods ...
// users are there
// goods are there
// orders are there
// all data are there:
//   - data of users
//   - data of orders
//   - data of goods
// ended at 0.2 s
