/**
 * 8.2 Resources that are cleaned up together, whatever happens.
 *
 * The tutorial's manager cleans up in the order of creation, so that what others are built on goes first; it forgets a
 * resource that only its weak reference knows; it waits for a clean-up that hangs for ever; and nobody who calls it learns
 * that one has failed. A scope goes backwards, holds what it is given, gives each clean-up so much time, and keeps all
 * errors.
 */
import { ResourceScope, sleep } from 'standpipe/concurrency'

class ManagedResource implements AsyncDisposable {
  readonly name: string
  #isActive = true

  constructor(name: string) {
    this.name = name
    console.log(`created ${name}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isActive) return
    this.#isActive = false
    await sleep(1)
    console.log(`cleaned up ${this.name}`)
  }
}

await ResourceScope.run(async (scope) => {
  scope.defer(() => console.log('all are cleaned up')) // the first that is registered is the last
  for (let i = 0; i < 5; i++) scope.use(new ManagedResource(`resource ${i}`))
  await sleep(10)
  console.log(`${scope.size} clean-ups are registered, the resources are used`)
})

// Errors, and clean-ups that do not end, hold up none of the others.
try {
  await ResourceScope.run(
    async (scope) => {
      scope.use(new ManagedResource('journal'))
      scope.defer((signal) => sleep(60_000, { signal }), { name: 'cache', cleanupTimeoutMs: 20 })
      scope.defer(() => Promise.reject(new Error('out of space')), { name: 'disk' })
      throw new Error('no such order')
    },
    { name: 'checkout' },
  )
} catch (error) {
  if (!(error instanceof AggregateError)) throw error
  console.log(error.message.replaceAll('; ', '\n  '))
}

// Prints:
// created resource 0
// created resource 1
// created resource 2
// created resource 3
// created resource 4
// 6 clean-ups are registered, the resources are used
// cleaned up resource 4
// cleaned up resource 3
// cleaned up resource 2
// cleaned up resource 1
// cleaned up resource 0
// all are cleaned up
// created journal
// cleaned up journal
// checkout: no such order
//   afterwards 2 of 3 clean-ups failed: disk: out of space
//   cache: not done within 20 ms
