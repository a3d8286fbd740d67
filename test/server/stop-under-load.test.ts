/** Stops while clients never stop sending; floods above the caps are in test/faults. */
import { once } from 'node:events'
import net from 'node:net'
import { describe, expect, test } from 'vitest'
import { StandpipeError } from '../../src/errors.js'
import type { Handler } from '../../src/protocol/handler.js'
import { FakeClock } from '../../src/testing/fake-clock.js'
import { eventually } from '../support/eventually.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { portOf, serve } from '../support/serve.js'
import { rejection, watch } from '../support/settled.js'
import { dial, receiveAll, send } from '../support/wire.js'

guardAgainstLeaks()

describe('Server.stop() under load', () => {
  const CLIENTS = 50
  const LINES_A_TURN = 50
  const MAX_UNSENT = 65_536
  const LONGEST_LINE = 'line 1000000\n'.length

  /** Sends numbered lines without pause until the peer ends, and checks the replies as they come. */
  class Pipeliner {
    readonly socket: net.Socket
    replies = 0
    /** Of whole replies, which are the lines as they were sent. */
    repliedBytes = 0
    end: string | undefined
    fault: string | undefined
    #sent = 0
    #partial = ''

    constructor(address: { port: number }) {
      this.socket = dial(address)
      this.socket.setEncoding('latin1')
      this.socket.on('data', (text: string) => this.#check(text))
      this.socket.on('end', () => this.#ended('end'))
      this.socket.on('error', (error: NodeJS.ErrnoException) => this.#ended(error.code ?? ''))
      this.socket.resume()
      this.#pump()
    }

    /** Some lines in each turn of the loop, and not as fast as the kernel takes them: that would be hundreds of MiB. */
    #pump(): void {
      if (this.end !== undefined || this.socket.destroyed) return
      if (this.socket.writableLength < MAX_UNSENT) {
        let block = ''
        for (let i = 0; i < LINES_A_TURN; i++) block += `line ${this.#sent++}\n`
        this.socket.write(block, 'latin1')
      }
      setImmediate(() => this.#pump())
    }

    #check(text: string): void {
      const lines = (this.#partial + text).split('\n')
      this.#partial = lines.pop() ?? ''
      for (const line of lines) {
        if (line !== `line ${this.replies}`) this.fault ??= `${line} instead of ${this.replies}`
        this.replies++
        this.repliedBytes += line.length + 1
      }
    }

    #ended(how: string): void {
      this.end ??= how
      if (this.#partial !== '') this.fault ??= `half a reply: ${this.#partial}`
      this.socket.end()
    }
  }

  test.each(Array.from({ length: 20 }, (_, i) => i + 1))(
    'answers each line before the cut, whole and in order, while 50 clients pipeline without pause (%i of 20)',
    async () => {
      const taken: number[] = []
      let index = 0
      const handler: Handler = async ({ reader, writer }) => {
        const mine = index++
        taken[mine] = 0
        for await (const line of reader.lines()) {
          taken[mine] = (taken[mine] ?? 0) + 1
          writer.write(`${line}\n`)
          await writer.drain()
        }
      }
      const server = await serve(handler)
      const port = portOf(server.address)
      const clients = Array.from({ length: CLIENTS }, () => new Pipeliner({ port }))
      await eventually(() => clients.every(({ replies }) => replies > 500))
      const readByPort = new Map(
        [...server.connections].map(({ remote, bytesRead }) => [
          remote === undefined ? 0 : portOf(remote),
          bytesRead,
        ]),
      )
      const readBefore = clients.map(({ socket }) => readByPort.get(socket.localPort ?? 0) ?? 0)
      const report = await server.stop({ graceMs: 5000 })
      expect(report).toMatchObject({ drained: CLIENTS, aborted: 0, stragglers: [] })
      expect(report.durationMs).toBeLessThan(5000)
      await eventually(() => clients.every(({ end }) => end !== undefined))
      expect(clients.map(({ fault }) => fault).filter((fault) => fault !== undefined)).toEqual([])
      expect(new Set(clients.map(({ end }) => end))).toEqual(new Set(['end']))
      // What had been read when the stop began was answered to its last whole line, and all that was taken besides.
      const lost = clients.filter(({ repliedBytes }, i) => {
        return repliedBytes + LONGEST_LINE <= (readBefore[i] ?? 0)
      })
      expect(lost).toEqual([])
      const answered = clients.map(({ replies }) => replies)
      expect(answered.toSorted((a, b) => a - b)).toEqual(taken.toSorted((a, b) => a - b))
      const refused = await rejection(once(net.connect({ port, host: '127.0.0.1' }), 'connect'))
      expect(refused).toMatchObject({ code: 'ECONNREFUSED' })
    },
  )

  test('tells draining, accepts on, closes the listener, cuts, waits out the grace, and aborts, in this order', async () => {
    const clock = new FakeClock()
    const order: string[] = []
    let port = 0
    const isListening = async (): Promise<boolean> => {
      const probe = net.connect({ port, host: '127.0.0.1' })
      try {
        await once(probe, 'connect')
        return true
      } catch {
        return false
      } finally {
        probe.destroy()
      }
    }
    const server = await serve(
      async ({ reader, draining, signal }) => {
        const name = await reader.readLine()
        if (name === 'reader of bytes') {
          draining.addEventListener('abort', () => order.push('draining is told'))
          signal.addEventListener('abort', () => order.push('aborted'))
          await reader.read().catch((error: unknown) => {
            order.push(`its read fails: ${error instanceof StandpipeError ? error.code : ''}`)
          })
          return
        }
        if (draining.aborted) order.push('accepted while draining')
        expect(await reader.readLine()).toBeNull()
        order.push(`cut, ${(await isListening()) ? 'still' : 'no more'} listening`)
      },
      { clock, graceMs: 1000, drainDelayMs: 3000 },
    )
    port = portOf(server.address)
    const bytes = dial(server.address)
    await send(bytes, 'reader of bytes\n')
    await eventually(() => [...server.connections][0]?.bytesRead === 16)
    const stopped = watch(server.stop())
    await clock.advance(2999)
    const late = dial(server.address)
    await send(late, 'reader of lines\n')
    await eventually(() => order.length === 2)
    expect(order).toEqual(['draining is told', 'accepted while draining'])
    await clock.advance(1)
    await eventually(() => order.length === 3)
    expect((await receiveAll(late)).end).toBe('end')
    late.end()
    await clock.advance(999)
    expect(stopped.state).toBe('pending')
    await clock.advance(1)
    expect(await stopped.promise).toMatchObject({ drained: 1, aborted: 1 })
    expect(order).toEqual([
      'draining is told',
      'accepted while draining',
      'cut, no more listening',
      'aborted',
      'its read fails: ERR_STANDPIPE_TIMED_OUT',
    ])
  })
})
