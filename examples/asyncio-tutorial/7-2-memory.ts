/**
 * 7.2 Memory: all data at once, or one after the other.
 *
 * The tutorial sleeps for each item and collects garbage all the while, which takes longer than the work and frees
 * nothing that would not have been freed anyway. Here garbage is collected for the sake of the figures alone, which
 * count what is garbage and not yet collected as well.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { sleep } from 'standpipe/concurrency'
import { MemoryMonitor, memoryText } from 'standpipe/observe'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** 16 KiB of V8's heap. */
const NUMBERS_OF_RECORD = 2048
const monitor = new MemoryMonitor()

/** As from a database: each record when it is asked for. */
async function* records(count: number): AsyncGenerator<number[]> {
  for (let i = 0; i < count; i++) {
    if (i % 100 === 0) await sleep(0)
    yield Array.from({ length: NUMBERS_OF_RECORD }, () => i)
  }
}

async function allAtOnce(count: number): Promise<number[][]> {
  const all: number[][] = []
  for await (const record of records(count)) all.push(record)
  return all
}

async function oneAfterTheOther(count: number): Promise<number[]> {
  const sums: number[] = []
  for await (const record of records(count)) sums.push(record.reduce((sum, n) => sum + n))
  return sums
}

/** Says how much more the process holds after the work, with the result of the work still in hand. */
async function measure<T>(name: string, work: () => Promise<T>): Promise<T> {
  collectGarbage()
  const before = monitor.snapshot()
  const result = await work()
  collectGarbage()
  const delta = monitor.since(before)
  console.log(`${name}: ${Math.round(delta.heapUsedBytes / 1024 ** 2)} MiB are held`)
  console.error(`${name}: ${memoryText(delta)}`) // all figures
  return result
}

const all = await measure('all at once', () => allAtOnce(1024))
const sums = await measure('one after the other', () => oneAfterTheOther(1024))
console.log(`${all.length} records, ${sums.length} sums`)

// Prints:
// all at once: 16 MiB are held
// one after the other: 0 MiB are held
// 1024 records, 1024 sums
