// What observing costs: nanoseconds for a call, and the memory of a histogram.
//
//   npm run build && node bench/observe.mjs [--rounds 9] [--calls 300000] [--json]
//
// Each figure is that of the least disturbed round, since noise only ever adds, less that of the same loop without
// what is measured.
import { createHistogram } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import {
  Counters,
  enableDebugMode,
  Histogram,
  LoopMonitor,
  MemoryMonitor,
  Profiler,
} from '../dist/observe/index.js'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    calls: { type: 'string', default: '300000' },
    json: { type: 'boolean', default: false },
  },
})
const rounds = Number(values.rounds)
const calls = Number(values.calls)
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc')

/** Numbers from microseconds to seconds, in ns. */
const durations = Array.from({ length: 4096 }, (_, n) => 10 ** (3 + (n % 6)) + n * 7)

async function leastNs(loop, count = calls) {
  let least = Infinity
  for (let round = 0; round < rounds; round++) {
    const start = performance.now()
    await loop(count)
    least = Math.min(least, ((performance.now() - start) / count) * 1e6)
  }
  return least
}

const counters = new Counters('calls', { labels: ['a', 'b'] })
const own = new Histogram()
const native = createHistogram()
const profiler = new Profiler()
const memory = new MemoryMonitor()

let sink = 0
const add = (n) => {
  sink += n
  return sink
}
const addLater = async (n) => add(n)
const wrapped = profiler.wrap('sync', add)
const wrappedLater = profiler.wrap('async', addLater)

const plain = (call) => (count) => {
  for (let n = 0; n < count; n++) call(n)
}
const awaited = (call) => async (count) => {
  for (let n = 0; n < count; n++) await call(n)
}
const turns = async (count) => {
  for (let n = 0; n < count; n++) await new Promise((resolve) => setImmediate(resolve))
}

const empty = await leastNs(plain(add))
const emptyLater = await leastNs(awaited(addLater))
const turn = await leastNs(turns, calls / 10)

const ns = {
  'Counters.increment()': (await leastNs(plain(() => counters.increment('a')))) - empty,
  'Histogram.record()': (await leastNs(plain((n) => own.record(durations[n & 4095])))) - empty,
  'createHistogram().record()':
    (await leastNs(plain((n) => native.record(durations[n & 4095])))) - empty,
  'performance.now() twice':
    (await leastNs(plain(() => performance.now() + performance.now()))) - empty,
  'Profiler.wrap(), sync': (await leastNs(plain(wrapped))) - empty,
  'Profiler.wrap(), async': (await leastNs(awaited(wrappedLater))) - emptyLater,
  'Profiler.measure(), sync':
    (await leastNs(plain((n) => profiler.measure('measure', () => add(n))))) - empty,
  'Profiler.start() and end()': (await leastNs(plain(() => profiler.start('span').end()))) - empty,
  'MemoryMonitor.snapshot()':
    (await leastNs(
      plain(() => memory.snapshot()),
      calls / 100,
    )) - empty,
}

const loop = new LoopMonitor({ slowTurnMs: 1000, logger: false }).start()
ns['LoopMonitor, a turn'] = (await leastNs(turns, calls / 10)) - turn
loop.stop()

const debug = enableDebugMode({ slowTurnMs: 1000, logger: false })
ns['debug mode, an await'] = (await leastNs(awaited(addLater))) - emptyLater
const watchedLater = (n) => debug.watch(addLater(n), 'addLater()')
ns['debug mode, a watched call'] = (await leastNs(awaited(watchedLater), calls / 10)) - emptyLater
debug.disable()

/** What a histogram that has seen all sizes adds to the resident set. */
function residentKib(make) {
  collectGarbage()
  const before = process.memoryUsage.rss()
  const kept = Array.from({ length: 200 }, () => {
    const histogram = make()
    for (const duration of durations) histogram.record(duration)
    return histogram
  })
  const kib = (process.memoryUsage.rss() - before) / kept.length / 1024
  return Math.max(0, kib)
}

const kib = {
  'Histogram, its counts': own.sizeBytes / 1024,
  'Histogram, resident': residentKib(() => new Histogram()),
  'createHistogram(), resident': residentKib(() => createHistogram()),
}

if (values.json) {
  console.log(JSON.stringify({ node: process.versions.node, ns, kib }))
} else {
  const rounded = (figures) =>
    Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, Math.round(value)]))
  console.log(
    `Node ${process.versions.node}; nanoseconds for a call, least of ${rounds} rounds of ${calls}`,
  )
  console.table(rounded(ns))
  console.log('KiB for a histogram')
  console.table(rounded(kib))
}
