/**
 * A crowd of peers of every kind, good and bad, and a stop in the midst of them: whatever comes together by chance, each
 * connection ends once and is counted once, and nobody is given what is not theirs. The chance has seeds.
 */
import type net from 'node:net'
import { expect } from 'vitest'
import { lineEcho } from '../../src/server/line-echo.js'
import type { Handler } from '../../src/protocol/handler.js'
import { loopTurns } from '../../src/testing/fake-clock.js'
import { fault } from '../support/fault.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { seededRandom } from '../support/seeded-random.js'
import { dial } from '../support/wire.js'

guardAgainstLeaks()

const SEEDS = Number(process.env['STANDPIPE_TEST_SEEDS'] ?? 6)
const PEERS = 50
const GRACE_MS = 300

type Random = (below: number) => number

/** What it sent in lines, and what came back. */
interface Peer {
  readonly kind: string
  /** What each of its lines begins with: a reply that went astray is seen by it. */
  readonly name: string
  readonly socket: net.Socket
  sent: string
  received: string
}

/** What each kind does once it is connected; `later` is some turns of the loop on. */
const KINDS: Readonly<
  Record<string, (peer: Peer, random: Random, later: () => Promise<void>) => unknown>
> = {
  talks: async (peer, random, later) => {
    for (let n = 0; n < 1 + random(20); n++) {
      say(peer, `${n}`.padEnd(1 + random(2000), 'x'))
      if (random(3) === 0) await later()
    }
    peer.socket.end()
  },
  'sends much and reads nothing': (peer) => {
    peer.socket.pause()
    for (let n = 0; n < 3000; n++) say(peer, `${n}`.padEnd(1000, 'y'))
  },
  resets: async (peer, random, later) => {
    say(peer, 'hello')
    await later()
    if (random(2) === 0) say(peer, 'more')
    peer.socket.resetAndDestroy()
  },
  'ends its half and stays': (peer) => {
    say(peer, 'hello')
    peer.socket.end()
  },
  'stops in the middle of a line': async (peer, _random, later) => {
    send(peer, `${peer.name}: half a li`)
    await later()
    peer.socket.end()
  },
  'never ends its line': (peer) => {
    peer.socket.write(Buffer.alloc(40_000, 'z'))
  },
  'is silent': () => {},
  'makes the handler fail': (peer) => {
    peer.socket.write('boom\n')
  },
  'is gone at once': (peer) => {
    peer.socket.destroy()
  },
}

function say(peer: Peer, line: string): void {
  send(peer, `${peer.name}:${line}\n`)
}

function send(peer: Peer, text: string): void {
  peer.sent += text
  peer.socket.write(text)
}

for (let seed = 1; seed <= SEEDS; seed++) {
  fault(
    'F40',
    `a stop amid a crowd of every kind ends each once and within its grace (seed ${seed})`,
    async (scene) => {
      const random = seededRandom(seed)
      const later = async (): Promise<void> => await loopTurns(1 + random(20))
      const echo = lineEcho({ prefix: '' })
      const handler: Handler = async (connection) => {
        const first = await connection.reader.peek(4)
        if (first?.toString() === 'boom') throw new Error('a fault of the handler')
        if (random(4) === 0) await later()
        await echo(connection)
      }
      const server = await scene.serve(handler, {
        maxConnections: PEERS - 10,
        limit: 4096,
        maxBufferedBytes: 100_000,
        deadlines: {
          firstByteMs: 50 + random(500),
          messageMs: 50 + random(500),
          writeStallMs: 200,
        },
      })
      const kinds = Object.keys(KINDS)
      const peers: Peer[] = []
      const playing: Promise<unknown>[] = []
      for (let n = 0; n < PEERS; n++) {
        const kind = kinds[random(kinds.length)] as string
        const name = `${n}`
        const peer: Peer = { kind, name, socket: dial(server.address), sent: '', received: '' }
        peers.push(peer)
        peer.socket.on('data', (chunk: Buffer) => {
          peer.received += chunk.toString('latin1')
        })
        peer.socket.resume()
        const play = async (): Promise<void> => {
          await later()
          await KINDS[kind]?.(peer, random, later)
        }
        playing.push(play())
        if (random(5) === 0) await later()
      }
      await loopTurns(random(200))
      const from = performance.now()
      const report = await server.stop({ graceMs: GRACE_MS })
      expect(performance.now() - from).toBeLessThan(GRACE_MS + 1000)
      await Promise.all(playing)

      expect(report.stragglers).toEqual([])
      expect(server.stats.open).toBe(0)
      for (const { kind, sent, received } of peers) {
        // In order, once, and of their own.
        expect(`${kind}: ${sent.startsWith(received)}`).toBe(`${kind}: true`)
      }
    },
  )
}
