/** What counts as a turn's time, with clocks that the test moves. */
import { expect, it, onTestFinished } from 'vitest'
import { TurnWatch } from '../../src/observe/turn-watch.js'
import { loopTurns } from '../../src/testing/fake-clock.js'

interface Scene {
  readonly watch: TurnWatch
  readonly turns: number[]
  /** Lets time pass: busy, or waiting. */
  readonly pass: (busyMs: number, idleMs?: number) => void
}

function scene(): Scene {
  let now = 1000
  let waited = 500
  const turns: number[] = []
  const watch = new TurnWatch({
    onTurn: (busyMs) => turns.push(busyMs),
    now: () => now,
    idle: () => waited,
  })
  onTestFinished(() => watch.stop())
  return {
    watch,
    turns,
    pass(busyMs, idleMs = 0) {
      now += busyMs + idleMs
      waited += idleMs
    },
  }
}

it('TurnWatch tells how long each turn was busy, without the time it waited', async () => {
  const { watch, turns, pass } = scene()
  watch.start()
  pass(30)
  await loopTurns(1)
  pass(5, 400)
  await loopTurns(1)
  await loopTurns(1)
  expect(turns).toEqual([30, 5, 0])
})

it('TurnWatch.stop() tells of the turn that it is called in, once', async () => {
  const { watch, turns, pass } = scene()
  watch.stop()
  watch.start()
  watch.start()
  pass(20)
  watch.stop()
  watch.stop()
  pass(20)
  await loopTurns(2)
  expect(turns).toEqual([20])
})

it('TurnWatch counts from its start on', async () => {
  const { watch, turns, pass } = scene()
  watch.start()
  watch.stop()
  pass(500)
  watch.start()
  pass(1)
  await loopTurns(1)
  expect(turns).toEqual([0, 1])
})

it('TurnWatch gives no negative time when its clocks disagree', async () => {
  const { watch, turns, pass } = scene()
  watch.start()
  pass(-3, 3)
  await loopTurns(1)
  expect(turns).toEqual([0])
})

it('TurnWatch.skip() leaves out what has passed of the turn', async () => {
  const { watch, turns, pass } = scene()
  watch.start()
  pass(300)
  watch.skip()
  pass(2)
  await loopTurns(1)
  expect(turns).toEqual([2])
})
