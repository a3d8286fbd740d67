/**
 * 8.1 Trying again, and telling of errors.
 *
 * The tutorial tries again whatever the error is, also a mistake in the program; its pauses are the same for everybody,
 * so that all who lost a server come back at the same moment; and nothing bounds the whole. `retry` asks whether
 * trying again may help, draws its pauses by chance, and has a deadline.
 */
import { retry, sleep } from 'standpipe/concurrency'

class OperationError extends Error {
  override readonly name = 'OperationError'
}

/** Fails so often, then succeeds. */
function unreliable(failures: number): () => string {
  let calls = 0
  return () => {
    if (++calls <= failures) throw new OperationError('the operation failed')
    return 'the operation succeeded'
  }
}

async function attempt(operation: () => string): Promise<void> {
  try {
    const result = await retry(operation, {
      maxAttempts: 3,
      baseMs: 50,
      timeoutMs: 5_000,
      shouldRetry: (error) => error instanceof OperationError,
      onAttempt: ({ attempt: number, error, gaveUp }) => {
        console.log(`attempt ${number}/3 failed: ${String(error)}${gaveUp ? ` (${gaveUp})` : ''}`)
      },
    })
    console.log(`result: ${result}`)
  } catch (error) {
    console.log(`failed for good: ${String(error)}`)
  }
}

await attempt(unreliable(2))
await attempt(unreliable(3))
await attempt(() => {
  throw new TypeError('a mistake, which trying again does not mend')
})

/** Tells how an operation began and ended, and lets its error through. */
async function told<T>(name: string, signal: AbortSignal, operation: () => Promise<T>): Promise<T> {
  console.log(`begun: ${name}`)
  try {
    const result = await operation()
    console.log(`succeeded: ${name}`)
    return result
  } catch (error) {
    if (signal.aborted && error === signal.reason) console.log(`cancelled: ${name}`)
    else console.log(`failed: ${name}: ${String(error)}`)
    throw error
  }
}

const controller = new AbortController()
const { signal } = controller

await told('an important operation', signal, () => sleep(10, { signal }))

await told('a faulty operation', signal, async () => {
  throw new Error('out of luck')
}).catch(() => console.log('the error is dealt with'))

const cancelled = told('a long operation', signal, () => sleep(10_000, { signal }))
controller.abort()
await cancelled.catch(() => console.log('the error is dealt with'))

// Prints:
// attempt 1/3 failed: OperationError: the operation failed
// attempt 2/3 failed: OperationError: the operation failed
// result: the operation succeeded
// attempt 1/3 failed: OperationError: the operation failed
// attempt 2/3 failed: OperationError: the operation failed
// attempt 3/3 failed: OperationError: the operation failed (max-attempts)
// failed for good: OperationError: the operation failed
// attempt 1/3 failed: TypeError: a mistake, which trying again does not mend (not-retryable)
// failed for good: TypeError: a mistake, which trying again does not mend
// begun: an important operation
// succeeded: an important operation
// begun: a faulty operation
// failed: a faulty operation: Error: out of luck
// the error is dealt with
// begun: a long operation
// cancelled: a long operation
// the error is dealt with
