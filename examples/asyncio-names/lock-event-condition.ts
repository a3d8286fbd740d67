/** `asyncio.Lock`, `asyncio.Event` and `asyncio.Condition`. */
import { Condition, Event, Mutex, sleep } from 'standpipe/concurrency'

// A lock around what reads, waits and writes: without it the three would all read 0.
const mutex = new Mutex()
let balance = 0
async function deposit(amount: number): Promise<void> {
  await mutex.use(async () => {
    const before = balance
    await sleep(5)
    balance = before + amount
  })
}
await Promise.all([1, 2, 3].map(deposit))
console.log(`balance: ${balance}`)

// An event: all who wait go on.
const ready = new Event()
const workers = ['a', 'b'].map(async (name) => {
  await ready.wait()
  console.log(`worker ${name} goes on`)
})
console.log(`ready: ${ready.isSet}`)
ready.set()
await Promise.all(workers)

// A condition: wait, with the lock in hand, until what it guards is as one wants it.
const condition = new Condition()
const jobs: string[] = []
const job = condition.use(() => condition.waitFor(() => jobs.shift()))
await condition.use(() => {
  jobs.push('sweep')
  condition.notify()
})
console.log(`job: ${await job}`)

// Prints:
// balance: 6
// ready: false
// worker a goes on
// worker b goes on
// job: sweep
