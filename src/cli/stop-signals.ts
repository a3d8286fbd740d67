/** The signals that end a server of the command line, one after the other. */
import { onStopSignal, type StopSignal } from './interruption.js'

/** npm takes a few milliseconds, a person some hundred. */
const NPM_ECHO_MS = 200

export class StopSignals {
  readonly #arrived: StopSignal[] = []
  #waiting: ((signal: StopSignal) => void) | undefined
  #lastInterruptAt = -Infinity

  constructor() {
    onStopSignal((signal) => {
      if (signal === 'SIGINT' && this.#isEchoOfNpm()) return
      const waiting = this.#waiting
      this.#waiting = undefined
      if (waiting === undefined) this.#arrived.push(signal)
      else waiting(signal)
    })
  }

  next(): Promise<StopSignal> {
    return new Promise((resolve) => {
      const signal = this.#arrived.shift()
      if (signal === undefined) this.#waiting = resolve
      else resolve(signal)
    })
  }

  /** One Ctrl+C under `npm start` comes twice: from the terminal, and from npm, which passes its own on. */
  #isEchoOfNpm(): boolean {
    if (process.env['npm_lifecycle_event'] === undefined) return false
    const now = performance.now()
    if (now - this.#lastInterruptAt < NPM_ECHO_MS) return true
    this.#lastInterruptAt = now
    return false
  }
}
