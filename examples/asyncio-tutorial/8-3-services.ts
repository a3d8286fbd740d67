/**
 * 8.3 A service: what runs beside the rest of a program, and is started and stopped as a whole.
 *
 * The tutorial's base class notes that it runs before its start is through, so that after a start that has failed it says
 * that it runs, does nothing, cannot be started, and holds what it had opened. Its worker can die, and nobody learns of
 * it: `submit()` goes on filling a queue without limit, and `join()` waits for ever. And its stop drops what waits.
 */
import {
  BoundedQueue,
  QueueService,
  Service,
  sleep,
  type ResourceScope,
} from 'standpipe/concurrency'

interface Processor {
  open(): Promise<void>
  process(data: number): Promise<number>
}

class Doubler implements Processor {
  #attempts = 0

  async open(): Promise<void> {
    if (++this.#attempts === 1) throw new Error('the processor is not ready yet')
  }

  async process(data: number): Promise<number> {
    await sleep(10)
    if (data === 3) throw new Error('three is too many')
    return data * 2
  }
}

class DataProcessingService extends Service {
  readonly #processor: Processor
  readonly #queue = new BoundedQueue<number>({ maxSize: 3 })

  constructor(processor: Processor) {
    super()
    this.#processor = processor
  }

  async submit(data: number): Promise<void> {
    if (!this.isRunning) throw new Error(`the service is ${this.state}`)
    await this.#queue.put(data)
  }

  protected override async onStart(scope: ResourceScope): Promise<void> {
    console.log('the service is being started')
    scope.defer(() => console.log('what it had opened is closed'))
    await this.#processor.open()
  }

  protected override async run(signal: AbortSignal): Promise<void> {
    for await (const data of this.#queue.items({ signal })) {
      try {
        console.log(`processed ${data}: ${await this.#processor.process(data)}`)
      } catch (error) {
        console.log(`failed ${data}: ${String(error)}`)
      } finally {
        this.#queue.taskDone()
      }
    }
  }

  /** `run` goes on meanwhile; its signal aborts afterwards. */
  protected override async onStop(signal: AbortSignal): Promise<void> {
    console.log('the service is being stopped')
    await this.#queue.join({ signal })
  }
}

const service = new DataProcessingService(new Doubler())
try {
  await service.start()
} catch (error) {
  console.log(`${String(error)}; it is ${service.state}`)
}
await service.start()
console.log(`it is ${service.state}`)
for (let data = 0; data < 5; data++) await service.submit(data) // waits while three are waiting
await service.stop()
const refusal: unknown = await service.submit(5).catch((error: unknown) => error)
console.log(String(refusal))

// A queue and its workers are a service of the kit.
const ready = new QueueService<number>({
  maxSize: 3,
  workers: 2,
  process: (data, signal) => sleep(10 * data, { signal }),
})
await ready.start()
for (const data of [3, 2, 1, 0]) await ready.submit(data)
await ready.stop()
console.log(`${ready.stats.processed} processed, ${ready.stats.dropped} dropped, ${ready.state}`)

// Prints:
// the service is being started
// what it had opened is closed
// Error: the processor is not ready yet; it is failed
// the service is being started
// it is running
// processed 0: 0
// the service is being stopped
// processed 1: 2
// processed 2: 4
// failed 3: Error: three is too many
// processed 4: 8
// what it had opened is closed
// Error: the service is stopped
// 4 processed, 0 dropped, stopped
