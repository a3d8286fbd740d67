/** The flags of `standpipe proxy`. What it does is loaded when it is done. */
import { Option, type Command } from 'commander'
import { parseAddress } from './address.js'
import { addFlags, durationFlag, flag } from './environment.js'
import { DIRECTIONS, parseFault, toFaults, type FaultFlags } from './fault-flags.js'
import type { ProxyFlags } from './run-proxy.js'
import { checkMode, logFlags, modeFlag } from './server-flags.js'
import { parseCount, parseDuration, parseProbability, parseSeed, parseSize } from './units.js'
import { UsageError } from './usage-error.js'

const AFTER_HELP = `
Without a fault everything passes as it is. Faults act together, both ways unless --direction says one.
Latency, bandwidth and slices keep every byte and its place; a black hole passes nothing until the proxy ends.
--reset-after and --limit-data count the bytes of each direction of each connection. --fault takes a fault as
standpipe/testing does, with a direction and a probability of its own, any number of times.

The first SIGINT or SIGTERM stops it: connections may end within the grace, faults and all. A second cuts at once.
Statistics are printed at the end; with --json as the last of the events.

Examples:
  standpipe proxy :9999 :8888 --latency 100ms --jitter 20ms
  standpipe proxy :9999 db.example:5432 --bandwidth 64k --direction to-client
  standpipe proxy :9999 :8888 --slice 1 --slice-gap 5ms --seed 42
  standpipe proxy :9999 :8888 --reset-after 1k --probability 0.1 --json
  standpipe proxy :9999 :8888 --latency 50ms --fault '{"kind":"reset","afterMs":5000,"connections":[2]}'`

/** Adds `proxy` to the program. */
export function defineProxy(program: Command): void {
  const command = program
    .command('proxy')
    .summary('stand between a client and a server, and misbehave')
    .description('Passes connections on to a target, with the faults that it is told.')
    .argument('<listen>', 'where to listen: HOST:PORT, :PORT, [::1]:PORT or unix:PATH')
    .argument('<target>', 'where the connections lead, written likewise')
    .addHelpText('after', AFTER_HELP)
    .action(async (listen: string, target: string, flags: ProxyFlags & FaultFlags) => {
      const from = parseAddress([listen])
      const to = parseAddress([target])
      if ('port' in to && to.port === 0) {
        throw new UsageError(
          `'${target}': port 0 cannot be connected to`,
          'Write the port that the target listens on.',
        )
      }
      checkMode(flags.mode, from)
      const faults = toFaults(flags)
      const { runProxy } = await import('./run-proxy.js')
      process.exitCode = await runProxy(from, to, faults, flags)
    })
  addFlags(command, [
    time('--latency', 'bytes and ends arrive so much later'),
    time('--jitter', 'with --latency: up to so much earlier or later'),
    flag('--bandwidth <size>', 'so many bytes a second at most', parseSize),
    flag('--slice <size>', 'cut what is written into pieces of so many bytes', parseSize),
    flag(
      '--slice-variation <size>',
      'with --slice: each piece is up to so many bytes smaller or larger',
      parseSize,
    ),
    time('--slice-gap', 'with --slice: the time between two pieces'),
    flag('--reset-after <size>', 'reset both ends after so many bytes', parseSizeFromZero),
    time('--reset-after-time', 'reset both ends after so much time'),
    new Option('--black-hole', 'take connections and bytes, and pass nothing'),
    time('--black-hole-end', 'with --black-hole: then close both ends'),
    time('--slow-close', 'an end of input arrives so much later'),
    flag('--limit-data <size>', 'a clean end after so many bytes', parseSizeFromZero),
    new Option('--down', 'refuse every connection'),
    faultFlag(),
    new Option('--direction <which>', 'which way the faults hold')
      .choices(Object.keys(DIRECTIONS))
      .default('both'),
    flag(
      '--probability <share>',
      'the share of the connections that are struck, from 0 to 1',
      parseProbability,
      { value: 1, shown: '1' },
    ),
    flag(
      '--seed <number>',
      'what decides every draw, to run the same again (default: a random one, which is printed)',
      parseSeed,
    ),
    modeFlag(),
    flag(
      '--max-connections <count>',
      'connections at once (default: what descriptors allow, two for each)',
      parseCount,
    ),
    flag(
      '--max-held <size>',
      'what each direction of a connection may keep; with a latency it bounds the throughput (default: 1m)',
      parseSize,
    ),
    durationFlag('--connect-timeout', 'how long connecting to the target may take', '10s', {}),
    durationFlag('--grace', 'for connections to end by themselves at a stop', '10s', {
      zero: true,
    }),
    ...logFlags(),
    new Option('--json', 'print events as JSON objects on standard output, one a line'),
  ])
}

/** Any fault, with all of its settings; once or more. */
function faultFlag(): Option {
  return flag(
    '--fault <json>',
    'one more fault, with a direction of its own; any number',
    parseFault,
  )
}

/** A size at which something happens: 0 is at once. */
function parseSizeFromZero(text: string): number {
  return text.trim() === '0' ? 0 : parseSize(text)
}

/** A duration that has no default. */
function time(name: string, description: string): Option {
  return flag(`${name} <duration>`, description, (text) => parseDuration(text, { zero: true }))
}
