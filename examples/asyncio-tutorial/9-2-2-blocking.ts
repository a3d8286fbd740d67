/**
 * 9.2.2 A call that blocks holds up everything: while it lasts, nobody in the thread has a turn.
 *
 * What can wait without blocking does so; what cannot goes to a thread of its own (`loop.run_in_executor()`,
 * `asyncio.to_thread()`). A LoopMonitor tells of turns that were too long, in production as well.
 */
import { sleep, WorkerLoop } from 'standpipe/concurrency'
import { LoopMonitor } from 'standpipe/observe'
import type * as tasks from './blocking-work.js'
import { blockFor } from './blocking-work.js'
import { withTicker } from './with-ticker.js'

{
  using monitor = new LoopMonitor({ slowTurnMs: 100, logger: false }).start()
  console.log('blocking:')
  console.log(`  ${await withTicker(async () => blockFor(200))}`)
  await sleep(0)
  console.log(`  the monitor has seen it: ${monitor.snapshot().slowTurns > 0}`)
}

console.log('waiting:')
await withTicker(() => sleep(200))

console.log('blocking on a thread:')
const module = new URL('blocking-work.ts', import.meta.url)
await using thread = new WorkerLoop<typeof tasks>(module)
await thread.start()
console.log(`  ${await withTicker(() => thread.submit('blockFor', 200))}`)

// Prints:
// blocking:
//   others had their turn: false
//   blocked, and done
//   the monitor has seen it: true
// waiting:
//   others had their turn: true
// blocking on a thread:
//   others had their turn: true
//   blocked, and done
