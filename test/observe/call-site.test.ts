import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { isProgramFrame, placeOf, takeStack } from '../../src/observe/call-site.js'

const KIT = new URL('../../src/client/open-connection.ts', import.meta.url)

function stackOf(...frames: string[]): Error {
  const error = new Error('here')
  error.stack = ['Error: here', ...frames.map((frame) => `    at ${frame}`)].join('\n')
  return error
}

describe('placeOf()', () => {
  const kit = `openConnection (${KIT.href}:60:5)`
  const mapped = `openConnection (${fileURLToPath(KIT)}:60:5)`
  const node = 'Server.emit (node:events:524:28)'
  const program = 'async main (file:///app/main.js:3:9)'

  it('is the first frame that is neither the kit’s nor Node’s', () => {
    expect(placeOf(stackOf(kit, mapped, node, program, 'other (file:///x.js:1:1)'))).toBe(program)
  })

  it('is nothing when there is none', () => {
    expect(placeOf(stackOf(kit, node))).toBe('')
    expect(placeOf(stackOf())).toBe('')
    const bare = new Error('no stack')
    delete bare.stack
    expect(placeOf(bare)).toBe('')
  })

  it('leaves out the frames of the call itself, and takes its caller when all is one file', () => {
    const call = 'save (file:///app/main.js:9:1)'
    expect(placeOf(stackOf(call, program), 1)).toBe(program)
    expect(placeOf(stackOf(kit, mapped), 1)).toBe(mapped)
    expect(placeOf(stackOf(kit), 1)).toBe('')
  })
})

describe('takeStack()', () => {
  it('begins with the caller of a function, is deep, and leaves the limit as it was', () => {
    const limit = Error.stackTraceLimit
    const called = (): Error => takeStack('taken here', called)
    const caller = (depth: number): Error => (depth === 0 ? called() : caller(depth - 1))
    const error = caller(20)
    const frames = error.stack?.split('\n').slice(1) ?? []
    expect(error.message).toBe('taken here')
    expect(frames.slice(0, 21).every((frame) => frame.includes('at caller '))).toBe(true)
    expect(frames.length).toBeLessThanOrEqual(30)
    expect(Error.stackTraceLimit).toBe(limit)
  })
})

it('isProgramFrame() is false for V8’s own', () => {
  expect(isProgramFrame('')).toBe(false)
})
