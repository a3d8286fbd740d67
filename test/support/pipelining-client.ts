/**
 * A client that keeps lines in flight: for each answer it sends the next line, until the server ends. It checks as it
 * goes that each answer is the one that is due.
 */
import type net from 'node:net'

export interface PipeliningOptions {
  /** In each of its lines. */
  readonly name: string
  readonly inFlight?: number
  /** What the server puts before each line. */
  readonly prefix?: string
}

export class PipeliningClient {
  /** Lines that were answered, each in its turn. */
  answered = 0
  /** Lines that the kernel has taken whole, at least: over loopback the server has received them. */
  received = 0
  /** The first answer that was not the one that was due. */
  wrong: string | undefined
  /** `end` when the server ended after a whole line; what happened otherwise. */
  readonly ended: Promise<string>
  readonly #socket: net.Socket
  readonly #options: PipeliningOptions
  #sent = 0
  #rest = ''

  constructor(socket: net.Socket, options: PipeliningOptions) {
    this.#socket = socket
    this.#options = options
    this.ended = new Promise((resolve) => {
      socket.on('end', () => {
        socket.end()
        resolve(this.#rest === '' ? 'end' : `end in the middle of a line: ${this.#rest}`)
      })
      socket.on('error', (error) => resolve(error.message))
    })
    socket.on('data', (chunk: Buffer) => this.#take(chunk.toString()))
    socket.once('connect', () => {
      for (let i = 0; i < (options.inFlight ?? 16); i++) this.#send()
    })
    socket.resume()
  }

  #send(): void {
    this.#socket.write(`${this.#line(this.#sent++)}\n`)
    if (this.#socket.writableLength === 0) this.received = this.#sent
  }

  #line(number: number): string {
    return `${this.#options.name}, line ${number}`
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) {
      const due = `${this.#options.prefix ?? ''}${this.#line(this.answered++)}`
      if (line !== due) this.wrong ??= `${line} instead of ${due}`
      this.#send()
    }
  }
}
