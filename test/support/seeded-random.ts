import { SeededRandom } from '../../src/testing/seeded-random.js'

/** Chance that can be had again: a whole number from 0 to below `below`. */
export function seededRandom(seed: number): (below: number) => number {
  const random = new SeededRandom(seed)
  return (below) => Math.floor(random.next() * below)
}
