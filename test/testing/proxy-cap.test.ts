/** A connection through a proxy takes two descriptors: so many fewer may be led at once. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { countDescriptors } from '../../src/server/descriptors.js'
import { FaultProxy } from '../../src/testing/index.js'
import { proxyCap } from '../../src/testing/proxy-cap.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { RecordingLogger } from '../support/recording-logger.js'

guardAgainstLeaks()

describe('proxyCap()', () => {
  test('is 80 % of half of the free descriptors, and says why it is low', () => {
    const { maxConnections, warning } = proxyCap(undefined, { limit: 1024, open: 24 })
    expect(maxConnections).toBe(400)
    expect(warning).toEqual({
      fields: { maxConnections: 400, descriptorLimit: 1024, descriptorsOpen: 24 },
      message:
        'at most 400 connections instead of 1024: each takes two descriptors, and this process may have 1024 and has 24 open. Raise the limit (ulimit -n)',
    })
  })

  test('is 1024 where there is room for them, or no limit is known, without a word', () => {
    const most = { maxConnections: 1024, warning: undefined }
    expect(proxyCap(undefined, { limit: 4096, open: 20 })).toEqual(most)
    expect(proxyCap(undefined, undefined)).toEqual(most)
  })

  test('is at least 1', () => {
    expect(proxyCap(undefined, { limit: 20, open: 20 }).maxConnections).toBe(1)
  })

  test('is what was asked for, with a warning where only one descriptor each is free', () => {
    const descriptors = { limit: 1000, open: 20 }
    expect(proxyCap(490, descriptors)).toEqual({ maxConnections: 490, warning: undefined })
    expect(proxyCap(491, descriptors).warning?.message).toMatch(
      /^maxConnections is 491, but each takes two descriptors, and this process may have 1000 and has 20 open/,
    )
    // The server warns of these itself.
    expect(proxyCap(981, descriptors)).toEqual({ maxConnections: 981, warning: undefined })
    expect(proxyCap(Infinity, descriptors).warning).toBe(undefined)
    expect(proxyCap(7, undefined)).toEqual({ maxConnections: 7, warning: undefined })
  })
})

test('FaultProxy.start() warns of a cap that its descriptors do not allow', async () => {
  const { limit, open } = countDescriptors() ?? { limit: 0, open: 0 }
  const maxConnections = Math.floor((limit - open) * 0.75)
  const logger = new RecordingLogger()
  const proxy = await FaultProxy.start({ target: { port: 1 }, logger, maxConnections })
  onTestFinished(() => proxy[Symbol.asyncDispose]())
  expect(logger.records.map(({ level, message }) => `${level}: ${message}`)).toEqual([
    expect.stringContaining(
      `warn: maxConnections is ${maxConnections}, but each takes two descriptors`,
    ),
  ])
})
