/**
 * 10.3 Processing data as they come: sensors, a processor of batches, and whoever is interested in the results.
 *
 * The tutorial's parts ask again and again whether there is something to do, lose the oldest readings without a word when
 * their buffer is full, call the subscribers one after the other, so that a slow one holds up everything, and are ended
 * by a flag that nobody looks at while they sleep. Here a queue and a broadcast are waited on, what is lost is counted, a
 * slow subscriber loses results of its own, and the end of the data goes through all parts: everything that was measured
 * is processed.
 */
import { batch, BoundedQueue, Broadcaster, sleep, taskGroup } from 'standpipe/concurrency'

interface Reading {
  readonly sensor: number
  readonly temperature: number
  readonly humidity: number
}

interface Summary {
  readonly number: number
  readonly size: number
  readonly sensors: number
  readonly temperature: number
  readonly humidity: number
}

const BATCH_SIZE = 10

class RealTimeProcessor {
  readonly results = new Broadcaster<Summary>()
  readonly #readings = new BoundedQueue<Reading>({ maxSize: 1_000 })
  #processed = 0
  #lost = 0

  get stats(): string {
    return `${this.#processed} processed, ${this.#lost} lost, ${this.#readings.size} waiting`
  }

  /** Takes readings from the source to its end, and resolves when all of them are processed. */
  async run(source: AsyncIterable<Reading>): Promise<void> {
    await taskGroup(async (group) => {
      void group.spawn(() => this.#process())
      try {
        for await (const reading of source) {
          // A sensor does not wait; whoever must not lose anything awaits `put()`.
          if (!this.#readings.tryPut(reading)) this.#lost++
        }
      } finally {
        this.#readings.close()
      }
    })
  }

  async #process(): Promise<void> {
    try {
      for await (const readings of batch(this.#readings, { size: BATCH_SIZE })) {
        this.#processed += readings.length
        this.results.publish(summarise(this.results.published + 1, readings))
      }
    } finally {
      this.results.close() // the loops of all who subscribe end after what they hold
    }
  }
}

function summarise(number: number, readings: readonly Reading[]): Summary {
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length
  return {
    number,
    size: readings.length,
    sensors: new Set(readings.map(({ sensor }) => sensor)).size,
    temperature: mean(readings.map(({ temperature }) => temperature)),
    humidity: mean(readings.map(({ humidity }) => humidity)),
  }
}

/** A warm afternoon, the same each time. */
async function* sensors(count: number): AsyncGenerator<Reading> {
  for (let i = 0; i < count; i++) {
    await sleep(1)
    const temperature = 27 + (8 * i) / count
    yield { sensor: i % 7, temperature, humidity: 60 - (i % 10) }
  }
}

const processor = new RealTimeProcessor()

async function report(): Promise<void> {
  for await (const { number, size, sensors: of, temperature } of processor.results.subscribe()) {
    console.log(`batch ${number}: ${size} readings of ${of} sensors, ${temperature.toFixed(2)} °C`)
  }
  console.log('the results are through')
}

async function warn(): Promise<void> {
  for await (const { number, temperature } of processor.results.subscribe()) {
    if (temperature > 30)
      console.log(`batch ${number}: high temperature: ${temperature.toFixed(2)} °C`)
  }
}

// One that is too slow has two results at hand, the first and the last, and holds nobody up.
const slow = processor.results.subscribe({ capacity: 1 })
const first = slow.get()

await Promise.all([report(), warn(), processor.run(sensors(55))])
console.log(processor.stats)
console.log(`the slow one has got ${(await first).number} and ${(await slow.get()).number}`)
console.log(`it was too slow for ${slow.dropped}`)

// Prints:
// batch 1: 10 readings of 7 sensors, 27.65 °C
// batch 2: 10 readings of 7 sensors, 29.11 °C
// batch 3: 10 readings of 7 sensors, 30.56 °C
// batch 3: high temperature: 30.56 °C
// batch 4: 10 readings of 7 sensors, 32.02 °C
// batch 4: high temperature: 32.02 °C
// batch 5: 10 readings of 7 sensors, 33.47 °C
// batch 5: high temperature: 33.47 °C
// batch 6: 5 readings of 5 sensors, 34.56 °C
// batch 6: high temperature: 34.56 °C
// the results are through
// 55 processed, 0 lost, 0 waiting
// the slow one has got 1 and 6
// it was too slow for 4
