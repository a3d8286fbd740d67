import { afterEach, describe, expect, test } from 'vitest'
import type { Transport } from '../../src/protocol/transport.js'
import { memoryTransportPair } from '../../src/testing/memory-transport.js'
import { tcpSocketPair } from '../support/socket-pair.js'
import { TransportTrace } from '../support/transport-trace.js'

/**
 * Scenes that are played on two TCP sockets and on a memory pair; both must leave the same trace.
 * What differs between versions of Node, or from run to run, is tested on the memory pair alone.
 */
interface Scene {
  readonly name: string
  readonly play: (a: Transport, b: Transport, trace: TransportTrace) => Promise<void> | void
  /** What each end says, in order; how the two interleave is nobody's promise. */
  readonly a: readonly string[]
  readonly b: readonly string[]
}

const collect = (name: string, transport: Transport, trace: TransportTrace): void => {
  transport.on('data', (chunk) => trace.add(`${name} data ${chunk.toString('latin1')}`))
}

const scenes: Scene[] = [
  {
    name: 'a half-close: the answer flows after the end of the question',
    async play(a, b, trace) {
      collect('a', a, trace)
      collect('b', b, trace)
      b.resume()
      a.write(Buffer.from('question'), trace.done('a'))
      a.end()
      await trace.seen('b end')
      b.write('answer', 'latin1', trace.done('b'))
      b.end()
    },
    a: ['a done ok', 'a data answer', 'a end', 'a close false'],
    b: ['b data question', 'b end', 'b done ok', 'b close false'],
  },
  {
    name: 'a paused end sees neither data nor end until it resumes',
    async play(a, b, trace) {
      collect('b', b, trace)
      b.pause()
      a.write(Buffer.from('x'), trace.done('a'))
      a.end()
      await trace.seen('a done ok')
      await turns(20)
      trace.add('b resumed')
      b.resume()
    },
    a: ['a done ok'],
    b: ['b resumed', 'b data x', 'b end'],
  },
  {
    name: 'a write after the end breaks the transport',
    play(a, b, trace) {
      a.resume()
      b.resume()
      a.end()
      a.write(Buffer.from('x'), trace.done('a'))
    },
    a: ['a done ERR_STREAM_WRITE_AFTER_END', 'a error ERR_STREAM_WRITE_AFTER_END', 'a close true'],
    b: ['b end'],
  },
  {
    name: 'a write after destroy calls back with an error and raises none',
    play(a, _b, trace) {
      a.destroy()
      a.write(Buffer.from('x'), trace.done('a'))
    },
    a: ['a done ERR_STREAM_DESTROYED', 'a close false'],
    b: [],
  },
  {
    name: 'a destroyed peer with nothing unread looks like an end',
    play(a, b) {
      a.resume()
      b.destroy()
    },
    a: ['a end'],
    b: ['b close false'],
  },
  {
    name: 'what was written before destroy still arrives',
    play(a, b, trace) {
      collect('a', a, trace)
      b.write(Buffer.from('last words'), trace.done('b'))
      b.destroy()
    },
    a: ['a data last words', 'a end'],
    b: ['b done ok', 'b close false'],
  },
  {
    name: 'a write to a peer that is gone is taken, the next one breaks',
    async play(a, b, trace) {
      a.resume()
      b.destroy()
      await trace.seen('a end')
      a.write(Buffer.from('x'), trace.done('a first'))
      await trace.seen('a first done ok')
      await turns(20)
      a.write(Buffer.from('x'), trace.done('a second'))
    },
    a: ['a end', 'a first done ok', 'a second done EPIPE', 'a error EPIPE', 'a close true'],
    b: ['b close false'],
  },
  {
    name: 'closing with unread input resets the peer',
    async play(a, b, trace) {
      a.resume()
      a.write(Buffer.from('x'), trace.done('a'))
      await trace.seen('a done ok')
      await turns(20)
      b.destroy()
    },
    a: ['a done ok', 'a error ECONNRESET', 'a close true'],
    b: ['b close false'],
  },
  {
    name: 'a reset is an error for the peer and only a close for the one who did it',
    play(a, b) {
      a.resume()
      b.resetAndDestroy?.()
    },
    a: ['a error ECONNRESET', 'a close true'],
    b: ['b close false'],
  },
  {
    name: 'a paused end with room for more sees a reset at once',
    play(a, b, trace) {
      collect('a', a, trace)
      a.pause()
      b.resetAndDestroy?.()
    },
    a: ['a error ECONNRESET', 'a close true'],
    b: ['b close false'],
  },
  {
    name: 'a reset after the end goes unseen, and our own end closes',
    async play(a, b, trace) {
      a.resume()
      b.end()
      await trace.seen('a end')
      b.resetAndDestroy?.()
      await turns(20)
      trace.add('a still there')
      a.end()
    },
    a: ['a end', 'a still there', 'a close false'],
    b: ['b close false'],
  },
  {
    name: 'a reset while the FIN goes out is refused, and no close follows',
    async play(a, b, trace) {
      b.resume()
      a.end()
      trace.add(`a finished ${a.writableFinished}`)
      a.resetAndDestroy?.()
      await trace.seen('a error EINVAL')
      await turns(20)
    },
    a: ['a finished false', 'a error EINVAL'],
    b: ['b end'],
  },
  {
    name: 'a reset after the FIN is out is a reset',
    async play(a, b, trace) {
      a.end()
      await turns(20)
      trace.add(`a finished ${a.writableFinished}`)
      a.resetAndDestroy?.()
      await turns(20)
      b.write(Buffer.from('x'), trace.done('b'))
    },
    a: ['a finished true', 'a close false'],
    b: ['b done EPIPE', 'b error EPIPE', 'b close true'],
  },
  {
    name: 'an error given to destroy is raised, and the peer sees an end',
    play(a, b) {
      b.resume()
      a.destroy(new Error('mine'))
    },
    a: ['a error mine', 'a close true'],
    b: ['b end'],
  },
  {
    name: 'both destroyed at once: each has its close',
    play(a, b) {
      a.destroy()
      b.destroy()
      b.destroy()
    },
    a: ['a close false'],
    b: ['b close false'],
  },
  {
    name: 'a write that the kernel takes whole counts no more, and calls back later',
    play(a, _b, trace) {
      a.write(Buffer.from('x'), trace.done('a'))
      trace.add(`a length ${a.writableLength}`)
    },
    a: ['a length 0', 'a done ok'],
    b: [],
  },
  {
    name: 'a write of nothing calls back and delivers nothing',
    play(a, b, trace) {
      collect('b', b, trace)
      b.resume()
      a.write(Buffer.alloc(0), trace.done('a'))
      a.end()
    },
    a: ['a done ok'],
    b: ['b end'],
  },
]

describe.each([
  ['TCP sockets', tcpSocketPair],
  ['a memory pair', async () => memoryTransportPair()],
] as [string, () => Promise<[Transport, Transport]>][])('on %s', (_kind, makePair) => {
  let pair: Transport[] = []
  afterEach(() => {
    for (const transport of pair) transport.destroy()
  })

  test.each(scenes)('$name', async (scene) => {
    const [a, b] = await makePair()
    pair = [a, b]
    const trace = new TransportTrace()
    trace.watch('a', a)
    trace.watch('b', b)
    await scene.play(a, b, trace)
    await trace.seen(...scene.a, ...scene.b)
    const linesOf = (end: string) => trace.lines.filter((line) => line.startsWith(end))
    expect({ a: linesOf('a '), b: linesOf('b ') }).toEqual({ a: scene.a, b: scene.b })
  })
})

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}
