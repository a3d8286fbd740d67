/** A stop while many clients talk: nobody loses an answer, nobody gets one twice, nobody is reset. */
import { once } from 'node:events'
import net from 'node:net'
import { expect } from 'vitest'
import { lineEcho } from '../../src/server/line-echo.js'
import { eventually } from '../support/eventually.js'
import { fault } from '../support/fault.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { portOf } from '../support/serve.js'
import { dial } from '../support/wire.js'

guardAgainstLeaks()

const CLIENTS = 50
const IN_FLIGHT = 16

/** A client that keeps so many lines in flight: for each answer it sends the next. */
class PipeliningClient {
  sent = 0
  readonly answers: string[] = []
  readonly end: Promise<string>
  readonly #socket: net.Socket
  readonly #name: string
  #rest = ''

  constructor(socket: net.Socket, name: string) {
    this.#socket = socket
    this.#name = name
    this.end = new Promise((resolve) => {
      socket.on('end', () => {
        resolve(this.#rest === '' ? 'end' : `a part of a line: ${this.#rest}`)
        socket.end()
      })
      socket.on('error', (error) => resolve(error.message))
    })
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    for (let i = 0; i < IN_FLIGHT; i++) this.#sendOne()
    socket.resume()
  }

  line(index: number): string {
    return `${this.#name}, line ${index}`
  }

  #sendOne(): void {
    this.#socket.write(`${this.line(this.sent++)}\n`)
  }

  #take(chunk: Buffer): void {
    const lines = (this.#rest + chunk.toString()).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) {
      this.answers.push(line)
      this.#sendOne()
    }
  }
}

fault(
  'F40',
  'Server.stop() under the load of 50 pipelining clients answers every line that was sent, once and in order',
  async ({ serve, log }) => {
    const server = await serve(lineEcho({ prefix: '' }))
    const clients = Array.from(
      { length: CLIENTS },
      (_, i) => new PipeliningClient(dial(server.address), `client ${i}`),
    )
    await eventually(() => clients.every(({ answers }) => answers.length > 100))

    const sentBefore = clients.map(({ sent }) => sent)
    const port = portOf(server.address)
    const stopped = server.stop()
    const ends = await Promise.all(clients.map(async ({ end }) => await end))
    expect(new Set(ends)).toEqual(new Set(['end']))
    for (const [i, client] of clients.entries()) {
      expect(client.answers).toEqual(client.answers.map((_, index) => client.line(index)))
      expect(client.answers.length).toBeGreaterThanOrEqual(sentBefore[i] ?? Infinity)
    }

    const late = net.connect({ port, host: '127.0.0.1' })
    const [refusal] = (await once(late, 'error')) as [NodeJS.ErrnoException]
    expect(refusal.code).toBe('ECONNREFUSED')
    const report = await stopped
    expect(report).toMatchObject({ drained: CLIENTS, aborted: 0, stragglers: [] })
    expect(log.records).toEqual([])
  },
)
