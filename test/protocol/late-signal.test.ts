import { describe, expect, test } from 'vitest'
import { LateSignal } from '../../src/protocol/late-signal.js'

describe('LateSignal.abort()', () => {
  test('aborts the signal that was asked for before, with the reason', () => {
    const late = new LateSignal()
    const { signal } = late
    expect([signal.aborted, late.hasAborted]).toEqual([false, false])
    late.abort('enough')
    expect([signal.aborted, signal.reason, late.hasAborted]).toEqual([true, 'enough', true])
  })

  test('is seen by who asks afterwards', () => {
    const late = new LateSignal()
    late.abort('enough')
    expect([late.signal.aborted, late.signal.reason]).toEqual([true, 'enough'])
  })

  test('counts once, in a listener of the signal too: the first reason stays', () => {
    const late = new LateSignal()
    let times = 0
    late.signal.addEventListener('abort', () => {
      times++
      late.abort('again')
    })
    late.abort('enough')
    late.abort('more')
    expect([times, late.signal.reason]).toEqual([1, 'enough'])
  })

  test('without a reason gives an AbortError, asked for before or afterwards', () => {
    const [before, after] = [new LateSignal(), new LateSignal()]
    const { signal } = before
    before.abort()
    after.abort()
    for (const { reason } of [signal, after.signal])
      expect(reason).toHaveProperty('name', 'AbortError')
  })
})

describe('LateSignal.signal', () => {
  test('is one and the same', () => {
    const late = new LateSignal()
    const { signal } = late
    late.abort()
    expect(late.signal).toBe(signal)
  })
})
