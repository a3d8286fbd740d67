/** What it means for a connection that a deadline has passed: the error it ends with, and who may end it otherwise. */
import { TimeoutError } from '../errors.js'
import type { DeadlineLimits, DeadlinePhase } from './deadlines.js'

/** What a protocol has to say about the deadlines of its connections. */
export interface Guard {
  readonly limits: DeadlineLimits
  /** Called in place of the cut when a deadline has passed. False: it is cut nevertheless. */
  passed(phase: DeadlinePhase, error: TimeoutError): boolean
}

/** Those that guard the connection against its peer. */
type GuardedPhase = Extract<DeadlinePhase, TimeoutError['phase']>

const WORDS: Readonly<Record<GuardedPhase, string>> = {
  'first-byte': 'the peer sent no byte',
  message: 'the peer did not finish what it had begun to send',
  idle: 'not a byte went either way',
  write: 'the peer took nothing of what was written',
  'half-closed': 'the peer did not end its half after we had ended ours',
}

/** @param who Names the connection: `connection from 127.0.0.1:8888` */
export function deadlineError(phase: GuardedPhase, afterMs: number, who: string): TimeoutError {
  const message = `${who}: ${WORDS[phase]} within ${Math.round(afterMs)} ms`
  return new TimeoutError(message, phase, afterMs)
}
