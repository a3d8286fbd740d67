import { describe, expect, test } from 'vitest'
import { inAllOrders, interleave, type Step } from './all-orders.js'
import { rejection } from './settled.js'

describe('inAllOrders()', () => {
  test('runs a program once for each way that its choices can go', async () => {
    const seen: string[] = []
    const runs = await inAllOrders(async (choose) => {
      const first = choose(['a', 'b', 'c'])
      const second = first === 'b' ? '' : choose([1, 2])
      seen.push(`${first}${second}`)
    })
    expect(seen).toEqual(['a1', 'a2', 'b', 'c1', 'c2'])
    expect(runs).toBe(5)
  })

  test('runs a program without a choice once', async () => {
    expect(await inAllOrders(async () => {})).toBe(1)
  })

  test('tells which choices have led to a failure, and keeps its error', async () => {
    const fault = new Error('lost an item')
    const error = await rejection(
      inAllOrders(async (choose) => {
        if (choose([1, 2], (n) => `n is ${n}`) === 2 && choose(['x', 'y']) === 'y') throw fault
      }),
    )
    expect(error).toMatchObject({ message: 'in run 3 (n is 2, y): lost an item', cause: fault })
  })

  test('fails when the program is not the same each time, or offers nothing', async () => {
    let runs = 0
    const changing = inAllOrders(async (choose) => {
      choose(runs++ === 0 ? [1, 2] : [1, 2, 3])
    })
    await expect(changing).rejects.toThrow('3 options where there were 2')
    await expect(inAllOrders(async (choose) => choose([]))).rejects.toThrow('0 options')
  })

  test('gives up when there are too many orders', async () => {
    const endless = inAllOrders(async (choose) => {
      for (let n = 0; n < 20; n++) choose([0, 1])
    })
    await expect(endless).rejects.toThrow('more than 200000 orders')
  })
})

describe('interleave()', () => {
  const script = (log: string[], ...names: string[]): Step[] =>
    names.map((name) => ({ name, run: () => void log.push(name) }))

  test('keeps the order of each script, and mixes them in every way', async () => {
    const orders = new Set<string>()
    const runs = await inAllOrders(async (choose) => {
      const log: string[] = []
      await interleave(choose, [script(log, 'a', 'b'), script(log, '1', '2')], ['at once'])
      orders.add(log.join(''))
    })
    expect([...orders].toSorted()).toEqual(['12ab', '1a2b', '1ab2', 'a12b', 'a1b2', 'ab12'])
    expect(runs).toBe(6)
  })

  test('lets so many promise jobs, or a turn of the loop, pass between two steps', async () => {
    const heard = new Set<string>()
    await inAllOrders(async (choose) => {
      let jobs = 0
      const first = {
        name: 'first',
        run() {
          void Promise.resolve()
            .then(() => jobs++)
            .then(() => jobs++)
            .then(() => jobs++)
        },
      }
      const second = { name: 'second', run: () => void heard.add(`${jobs}`) }
      await interleave(choose, [[first, second]], ['at once', 1, 2, 'turn'])
    })
    expect([...heard].toSorted()).toEqual(['0', '1', '2', '3'])
  })

  test('finds a race that shows in one order alone', async () => {
    // Two who look first and take afterwards.
    const found = inAllOrders(async (choose) => {
      let free = 1
      const taker = (name: string): Step[] => {
        let mayTake = false
        const look = { name: `${name} looks`, run: () => void (mayTake = free > 0) }
        return [look, { name: `${name} takes`, run: () => void (mayTake && free--) }]
      }
      await interleave(choose, [taker('A'), taker('B')], ['at once'])
      if (free < 0) throw new Error('taken twice')
    })
    await expect(found).rejects.toThrow('A looks, at once, B looks, at once, A takes')
  })
})
