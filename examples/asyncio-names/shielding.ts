/**
 * `asyncio.shield()`: the wait can be cancelled, the work goes on, and whoever began it sees to its end.
 *
 * asyncio keeps no strong reference to a shielded task, which may be collected in the middle of its work; a promise that
 * something will settle is not.
 */
import { shield, sleep } from 'standpipe/concurrency'

async function save(): Promise<void> {
  await sleep(50)
  console.log('saved')
}

const controller = new AbortController()
const saving = save()
const waiting = shield(saving, { signal: controller.signal })
controller.abort('the user has gone')
try {
  await waiting
} catch (reason) {
  console.log(`no longer waited for: ${String(reason)}`)
}
await saving

// Prints:
// no longer waited for: the user has gone
// saved
