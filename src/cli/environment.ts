/** How the flags of a command are read: from the command line, and from `STANDPIPE_…` variables. */
import { InvalidArgumentError, Option, type Command } from 'commander'
import { parseDuration, type DurationRules } from './units.js'
import { UsageError } from './usage-error.js'

/**
 * A flag whose value `parse` reads; one that may be given several times gets what it made of the times before.
 * `shown` is the default as people write it.
 */
export function flag<T>(
  usage: string,
  description: string,
  parse: (text: string, before?: T) => T,
  byDefault?: { value: T; shown: string },
): Option {
  const option = new Option(usage, description).argParser((text: string, before?: T) => {
    try {
      return parse(text, before)
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
      throw new InvalidArgumentError(`${error.message}. ${error.hint}`)
    }
  })
  return byDefault === undefined ? option : option.default(byDefault.value, byDefault.shown)
}

/** A flag that is a duration, with its default written as one. */
export function durationFlag(
  name: string,
  description: string,
  byDefault: string,
  rules: DurationRules,
): Option {
  const parse = (text: string): number => parseDuration(text, rules)
  const value = { value: parse(byDefault), shown: byDefault }
  return flag(`${name} <duration>`, description, parse, value)
}

/** The words that leave a flag without value unset; commander would take any value, `0` too, as set. */
const UNSET = new Set(['', '0', 'false', 'no', 'off'])

/**
 * Adds flags to a command. Each can be given as `STANDPIPE_` and its name in capitals too; the command line wins.
 */
export function addFlags(
  command: Command,
  flags: readonly Option[],
  environment: NodeJS.ProcessEnv = process.env,
): void {
  for (const option of flags) {
    const variable = `STANDPIPE_${option.name().replaceAll('-', '_').toUpperCase()}`
    const isSwitch = option.isBoolean() || option.negate
    const isUnset = isSwitch && UNSET.has((environment[variable] ?? 'set').toLowerCase())
    command.addOption(isUnset ? option : option.env(variable))
  }
}
