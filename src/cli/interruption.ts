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

/** Signals that end a process at once, and would leave a terminal as it is. SIGKILL cannot be helped. */
const DEADLY_SIGNALS = ['SIGHUP', 'SIGQUIT'] as const

/** Calls `tidyUp` when another signal is about to end the process. The function it gives back calls that off. */
export function beforeDeadlySignal(tidyUp: () => void): () => void {
  const die = (signal: NodeJS.Signals): void => {
    callOff()
    tidyUp()
    process.kill(process.pid, signal)
  }
  const callOff = (): void => {
    for (const signal of DEADLY_SIGNALS) process.removeListener(signal, die)
  }
  for (const signal of DEADLY_SIGNALS) process.on(signal, die)
  return callOff
}
