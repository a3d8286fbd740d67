/** Which of the things that `standpipe connect` can do is wanted, and which flags make no sense with it. */
import type { Command } from 'commander'
import { UsageError } from './usage-error.js'

const MODES = ['lines', 'hex', 'probe'] as const

/** `pipe` is what it does without a flag. */
export type ConnectMode = 'pipe' | (typeof MODES)[number]

/** The flags that ask for a mode. */
export interface ModeFlags {
  /** Each line of the input is paired with one of the peer. */
  lines?: boolean
  /** What goes and what comes is shown in hexadecimal. */
  hex?: boolean
  /** It is only found out whether one can connect. */
  probe?: boolean
}

/** In which modes a flag that changes how they work has a meaning, and what to do where it has none. */
const MEANING: Readonly<Record<string, { modes: readonly ConnectMode[]; hint: string }>> = {
  json: { modes: ['lines', 'probe'], hint: 'Give it with --lines or --probe.' },
  limit: { modes: ['lines'], hint: 'Give it with --lines.' },
  crlf: { modes: ['pipe', 'lines', 'hex'], hint: 'Leave it out.' },
  idleTimeout: { modes: ['pipe', 'lines', 'hex'], hint: 'Leave it out.' },
}

/**
 * The mode that the flags ask for. A variable that has no meaning in it is passed over, and a mode on the command
 * line wins over one in a variable: variables are for every run, and a flag is for this one.
 *
 * @throws UsageError when two modes are asked for, or a flag is given that has no meaning in the mode
 */
export function chooseMode(flags: ModeFlags, command: Command): ConnectMode {
  const isGiven = (name: string): boolean => command.getOptionValueSource(name) === 'cli'
  const wanted = MODES.filter((mode) => flags[mode] === true)
  const given = wanted.filter(isGiven)
  const [mode = 'pipe', other] = given.length > 0 ? given : wanted
  if (other !== undefined) {
    throw new UsageError(`--${mode} and --${other} exclude each other`, 'Give one of the two.')
  }
  for (const [name, { modes, hint }] of Object.entries(MEANING)) {
    if (!isGiven(name) || modes.includes(mode)) continue
    const where = mode === 'pipe' ? 'by itself' : `with --${mode}`
    throw new UsageError(`--${toFlag(name)} has no meaning ${where}`, hint)
  }
  return mode
}

/** The flag of a name as commander keeps it. */
function toFlag(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}
