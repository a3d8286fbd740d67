import { afterEach, describe, expect, test, vi } from 'vitest'
import { eventually } from './eventually.js'

describe('eventually()', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  test('gives the first value that is not false, after throws and falses', async () => {
    let calls = 0
    const value = await eventually(
      () => {
        calls += 1
        if (calls === 1) throw new Error('not yet')
        return calls === 2 ? false : 'ready'
      },
      { intervalMs: 1 },
    )
    expect(value).toBe('ready')
    expect(calls).toBe(3)
  })

  test('takes 0, an empty string and undefined as values', async () => {
    expect(await eventually(() => 0)).toBe(0)
    expect(await eventually(() => '')).toBe('')
    expect(await eventually(() => undefined)).toBeUndefined()
  })

  test('rejects with what was waited for and with the last error', async () => {
    const cause = new Error('two clients left')
    const waiting = eventually(() => Promise.reject(cause), {
      timeoutMs: 20,
      intervalMs: 1,
      what: 'all clients are gone',
    })
    await expect(waiting).rejects.toMatchObject({
      message: 'all clients are gone: not within 20 ms: two clients left',
      cause,
    })
  })

  test('rejects when a check never settles', async () => {
    const waiting = eventually(() => new Promise<boolean>(() => {}), { timeoutMs: 20 })
    await expect(waiting).rejects.toThrow('the check did not settle')
  })

  test('goes on under a fake clock', async () => {
    vi.useFakeTimers()
    let calls = 0
    expect(await eventually(() => (calls += 1) > 2 && calls, { intervalMs: 1 })).toBe(3)
  })
})
