/** SIGINT and SIGTERM as values, for commands that end by themselves when they are told to. */

/** The signals that end a command. */
export type StopSignal = 'SIGINT' | 'SIGTERM'

const STOP_SIGNALS: readonly StopSignal[] = ['SIGINT', 'SIGTERM']

/** A signal ended a client. */
export class Interruption extends Error {
  readonly signal: StopSignal

  constructor(signal: StopSignal) {
    super(`ended by ${signal}`)
    this.name = 'Interruption'
    this.signal = signal
  }
}

/** Calls `listener` for each SIGINT and SIGTERM from now on; neither ends the process by itself any more. */
export function onStopSignal(listener: (signal: StopSignal) => void): void {
  for (const signal of STOP_SIGNALS) process.on(signal, listener)
}
