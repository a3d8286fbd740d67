/**
 * An error, as the one line that a person gets on stderr and the exit code that a script gets: what failed,
 * where, after how long, and what to try. The only place that knows which error is which exit code.
 */
import { CommanderError } from 'commander'
import {
  BrokenError,
  ConnectError,
  describeSystemError,
  LimitOverrunError,
  ListenError,
  LookupError,
  TimeoutError,
} from '../errors.js'
import { EXIT, type ExitCode } from './exit-codes.js'
import { Interruption } from './interruption.js'
import { InputError, OutputError, ReaderLeftError } from './stdio.js'
import { StuckPeerError } from './stuck-peer-error.js'
import { UsageError } from './usage-error.js'

export interface Explanation {
  /** Undefined where nothing need be said. */
  readonly line?: string
  readonly exitCode: ExitCode
}

/** Explains what ended a command; `command` is its name, where the error is one of its use. */
export function explain(error: unknown, command?: string): Explanation {
  if (error instanceof Interruption) {
    return { exitCode: error.signal === 'SIGINT' ? EXIT.interrupted : EXIT.terminated }
  }
  if (error instanceof ReaderLeftError) return { exitCode: EXIT.done }
  if (error instanceof CommanderError) return usage(error.message.replace(/^error: /, ''), command)
  if (error instanceof UsageError) return usage(`${error.message}. ${error.hint}`, command)
  if (!(error instanceof Error)) return { line: toLine(String(error)), exitCode: EXIT.failed }
  const known = exitCodeAndHint(error, command)
  // A fault of our own: its stack is what a report of it needs.
  if (known === undefined) {
    return { line: `standpipe: ${error.stack ?? error.message}`, exitCode: EXIT.failed }
  }
  const [exitCode, hint] = known
  return { line: toLine(hint === '' ? error.message : `${error.message}. ${hint}`), exitCode }
}

function exitCodeAndHint(
  error: Error,
  command: string | undefined,
): [ExitCode, string] | undefined {
  if (error instanceof LookupError) return [EXIT.nameNotFound, lookUpHint(error)]
  if (error instanceof ConnectError) return connectHint(error)
  if (error instanceof TimeoutError) return [EXIT.timedOut, timeoutHint(error)]
  if (error instanceof ListenError) return [EXIT.failed, listenHint(error, command)]
  if (error instanceof BrokenError) {
    return [EXIT.broken, 'The peer may have failed; what was on its way is lost']
  }
  if (error instanceof LimitOverrunError) {
    return [EXIT.failed, '--limit sets how long a line may be']
  }
  if (error instanceof OutputError) {
    return [EXIT.couldNotWrite, 'Free some space, or write somewhere else']
  }
  if (error instanceof InputError) return [EXIT.failed, '']
  if (error instanceof StuckPeerError) {
    return [EXIT.failed, 'What is that long is better sent by a pipe, which waits']
  }
  return undefined
}

function usage(message: string, command: string | undefined): Explanation {
  const program = command === undefined ? 'standpipe' : `standpipe ${command}`
  const stop = /[.?)]$/.test(message) ? '' : '.'
  return {
    line: toLine(`${message}${stop} See: ${program} --help`, program),
    exitCode: EXIT.usage,
  }
}

function lookUpHint(error: LookupError): string {
  const { code } = describeSystemError(error.cause)
  if (code === 'ENOTFOUND') return 'Check the spelling, or give the address in numbers'
  return 'Check the network, or give the address in numbers'
}

function connectHint({ attempts }: ConnectError): [ExitCode, string] {
  const codes = attempts.map(({ code }) => code)
  const all = (...wanted: string[]): boolean => codes.every((code) => wanted.includes(code))
  const { address = '' } = attempts[0] ?? {}
  if (all('ETIMEDOUT')) return [EXIT.timedOut, 'Check the address, and any firewall in between']
  if (all('ECONNREFUSED', 'ENOENT') && isHere(address)) {
    return [EXIT.couldNotConnect, `Start one with: standpipe echo${asArgument(address)}`]
  }
  if (all('ECONNREFUSED')) {
    return [EXIT.couldNotConnect, 'Check the port, and that the server listens on that address']
  }
  if (all('EACCES', 'EPERM'))
    return [EXIT.couldNotConnect, 'Check the permissions, or the firewall']
  if (all('ENOTSOCK')) return [EXIT.couldNotConnect, 'Check the path: that file is no socket']
  return [EXIT.couldNotConnect, 'Check the address and the network']
}

function isHere(address: string): boolean {
  return /^(?:127\.|\[::1\]|unix:)/.test(address)
}

/** The address as an argument of `standpipe echo`; nothing where it is the default. */
function asArgument(address: string): string {
  if (address === '127.0.0.1:8888') return ''
  return ` ${address.replace(/^127\.0\.0\.1:/, ':')}`
}

function timeoutHint({ phase }: TimeoutError): string {
  switch (phase) {
    case 'connect':
      return 'Check the address, and any firewall in between; --connect-timeout sets how long'
    case 'call':
      return '--timeout sets how long'
    case 'keep-alive':
      return 'Check the network'
    default:
      return '--idle-timeout sets how long'
  }
}

function listenHint({ address, code, cause }: ListenError, command: string | undefined): string {
  if (code === 'ERR_STANDPIPE_ADDRESS_IN_USE') {
    if (address.startsWith('unix:'))
      return 'Stop the server that listens there, or choose another path'
    const port = address.replace(/^.*:/, '')
    // The proxy has its addresses as arguments.
    const free = command === 'proxy' ? 'listen on :0' : '--port 0'
    return `See who has it: ss -ltnp 'sport = :${port}'; or take any free port: ${free}`
  }
  switch (describeSystemError(cause).code) {
    case 'EACCES':
      return address.startsWith('unix:')
        ? 'Choose a path in a folder that you may write to'
        : 'Ports below 1024 need privileges: choose a higher one'
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'Listen on 127.0.0.1, or on 0.0.0.0 for every interface'
    case 'ENOENT':
      return 'Make the folder first'
    default:
      return ''
  }
}

/** One line, whatever a name or a path may contain. */
export function toLine(text: string, program = 'standpipe'): string {
  const line = text.replaceAll(/\s*\n\s*/g, ' ')
  return `${program}: ${line.replaceAll(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1))}`
}
