import { describe, expect, expectTypeOf, it } from 'vitest'
import { Counters, OTHER_LABEL } from '../../src/observe/counters.js'

describe('Counters', () => {
  it('has the labels of the start with 0, and counts', () => {
    const refused = new Counters('refused', { labels: ['denied', 'max-connections'] })
    refused.increment('denied')
    refused.increment('denied', 4)
    expect(refused.name).toBe('refused')
    expect(refused.get('denied')).toBe(5)
    expect(refused.total).toBe(5)
    expect(refused.snapshot()).toEqual({ denied: 5, 'max-connections': 0 })
  })

  it('takes its labels for a type', () => {
    const refused = new Counters('refused', { labels: ['denied', 'max-connections'] })
    expectTypeOf<Parameters<typeof refused.increment>[0]>().toEqualTypeOf<
      'denied' | 'max-connections'
    >()
    expectTypeOf(refused.snapshot().denied).toEqualTypeOf<number>()
  })

  it('with labels and no maxLabels refuses any other label', () => {
    const refused: Counters = new Counters('refused', { labels: ['denied'] })
    expect(() => refused.increment('sent home')).toThrow(
      new TypeError('label must be one of those of refused (denied), not sent home'),
    )
    expect(refused.snapshot()).toEqual({ denied: 0 })
    expect(refused.total).toBe(0)
  })

  it('without labels takes any, as far as there is room', () => {
    const paths = new Counters('paths', { maxLabels: 2 })
    for (const path of ['/', '/a', '/b', '/c', '/']) paths.increment(path)
    expect(paths.snapshot()).toEqual({ '/': 2, '/a': 1, [OTHER_LABEL]: 2 })
    expect(paths.get('/b')).toBe(0)
    expect(paths.get(OTHER_LABEL)).toBe(2)
    expect(paths.total).toBe(5)
  })

  it('has 64 labels and the other one at most, whatever a peer thinks of', () => {
    const paths = new Counters('paths')
    for (let n = 0; n < 10_000; n++) paths.increment(`/${n}`)
    expect(Object.keys(paths.snapshot())).toHaveLength(65)
    expect(paths.get(OTHER_LABEL)).toBe(10_000 - 64)
  })

  it('adds to the labels of the start when maxLabels has room for more', () => {
    const closed: Counters = new Counters('closed', { labels: ['ended'], maxLabels: 2 })
    for (const kind of ['reset', 'failed', 'ended']) closed.increment(kind)
    expect(closed.snapshot()).toEqual({ ended: 1, reset: 1, [OTHER_LABEL]: 1 })
  })

  it('takes names that objects have by themselves', () => {
    const counters = new Counters('odd')
    counters.increment('__proto__')
    counters.increment('constructor', 2)
    expect(JSON.stringify(counters)).toBe('{"__proto__":1,"constructor":2}')
  })

  it('gives snapshots that stay as they are', () => {
    const counters = new Counters('calls')
    counters.increment('a')
    const before = counters.snapshot()
    counters.increment('a')
    expect(before).toEqual({ a: 1 })
  })

  it.each([-1, 0.5, NaN, Infinity])('only goes up, by whole numbers: not by %d', (by) => {
    const counters = new Counters('calls')
    expect(() => counters.increment('a', by)).toThrow(RangeError)
    expect(counters.snapshot()).toEqual({})
  })

  it('shows a label that was counted by 0', () => {
    const counters = new Counters('calls')
    counters.increment('a', 0)
    expect(counters.snapshot()).toEqual({ a: 0 })
  })

  it('refuses options without meaning', () => {
    expect(() => new Counters('')).toThrow(TypeError)
    expect(() => new Counters('x', { maxLabels: 0 })).toThrow(RangeError)
    expect(() => new Counters('x', { maxLabels: NaN })).toThrow(RangeError)
    expect(() => new Counters('x', { labels: ['a', 'b'], maxLabels: 1 })).toThrow(/2 or above/)
  })
})
