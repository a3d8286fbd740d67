import { expect, it } from 'vitest'
import { systemClock } from '../../src/concurrency/clock.js'
import { Ticker } from '../../src/observe/ticker.js'
import { FakeClock } from '../../src/testing/fake-clock.js'
import { eventually } from '../support/eventually.js'

it('Ticker goes on after a tick that throws', async () => {
  const clock = new FakeClock()
  let ticks = 0
  const ticker = new Ticker(clock, 10, () => {
    if (++ticks === 1) throw new Error('first')
  })
  ticker.start()
  ticker.start()
  await expect(clock.advance(10)).rejects.toThrow('first')
  await clock.advance(10)
  expect(ticks).toBe(2)
  ticker.stop()
  expect(clock.pendingTimers).toBe(0)
})

it('Ticker stops when its tick says so', async () => {
  const clock = new FakeClock()
  let ticks = 0
  const ticker = new Ticker(clock, 10, () => {
    ticks++
    ticker.stop()
  })
  ticker.start()
  await clock.advance(100)
  expect(ticks).toBe(1)
  expect(ticker.isRunning).toBe(false)
  expect(clock.pendingTimers).toBe(0)
})

it('Ticker ticks on the clock of the process', async () => {
  let ticks = 0
  const ticker = new Ticker(systemClock, 1, () => ticks++)
  ticker.start()
  await eventually(() => ticks >= 3, { what: 'three ticks' })
  ticker.stop()
  expect(ticker.isRunning).toBe(false)
})

it('Ticker takes a clock that gives no timer, as for Infinity', () => {
  const ticker = new Ticker(systemClock, Infinity, () => {})
  ticker.start()
  expect(ticker.isRunning).toBe(true)
  ticker.stop()
  expect(ticker.isRunning).toBe(false)
})
