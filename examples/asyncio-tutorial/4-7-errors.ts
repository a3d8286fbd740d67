/**
 * 4.7 Errors of tasks that run at the same time.
 *
 * The tutorial lets chance decide which operation fails; here it is B, so that each run is the same.
 */
import { sleep } from 'standpipe/concurrency'

class OperationError extends Error {
  override readonly name = 'OperationError'
}

async function riskyOperation(name: string): Promise<string> {
  await sleep(100)
  if (name === 'B') throw new OperationError(`operation ${name} failed!`)
  return `operation ${name} succeeded`
}

async function safeOperation(name: string): Promise<string> {
  try {
    const result = await riskyOperation(name)
    console.log(result)
    return result
  } catch (error) {
    // What was not expected is not swallowed: `catch` takes everything, `except ValueError` does not.
    if (!(error instanceof OperationError)) throw error
    console.log(`caught: ${error.message}`)
    return `operation ${name} failed`
  }
}

const results = await Promise.all(['A', 'B', 'C'].map(safeOperation))
console.log(`results: ${results.join(', ')}`)

// The language's own: each outcome as a value, with nothing to catch. `gather(…, return_exceptions=True)`.
const outcomes = await Promise.allSettled(['A', 'B', 'C'].map(riskyOperation))
console.log(`outcomes: ${outcomes.map(({ status }) => status).join(', ')}`)

// Prints:
// operation A succeeded
// caught: operation B failed!
// operation C succeeded
// results: operation A succeeded, operation B failed, operation C succeeded
// outcomes: fulfilled, rejected, fulfilled
