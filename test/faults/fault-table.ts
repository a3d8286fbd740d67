/**
 * The table of faults: what may happen to a program that uses the kit, and what the kit makes of it. Each row has a
 * test, whose name begins with its id; docs/reliability.md is printed from this table and from what the tests measure.
 *
 * It imports nothing, so that the page can be printed without a build.
 */

export interface Fault {
  /** What happens. */
  readonly fault: string
  /** What the kit does. */
  readonly does: string
  /** Why the row has no test yet, where it has none. */
  readonly open?: string
  /** What of the row has no test yet, since the part of the kit that it is about is not built; all else has one. */
  readonly openPart?: string
}

/** What no row covers, since the kit does not have it yet. */
export const NOT_BUILT: readonly string[] = [
  'TLS: every row is tested over TCP, a Unix socket or memory, and none over TLS',
]

export const FAULTS = {
  F01: {
    fault: 'A client stops reading while 1 GiB is offered',
    does: 'buffers its hard cap and one write, `drain()` waits, and nothing more is taken in',
  },
  F02: {
    fault: 'A client stops reading for good',
    does: 'cuts it at the write-stall deadline: `timed-out`, phase `write`',
  },
  F03: {
    fault: 'A client drips: a byte now and then, and no end of the line',
    does: 'closes it at the message deadline, which bytes do not extend; others are served all along',
  },
  F04: {
    fault: 'A client connects and says nothing',
    does: 'closes it at the first-byte deadline',
  },
  F06: {
    fault: 'A client sends, ends its half, and goes on reading',
    does: 'sends it every reply, and then the end',
  },
  F07: {
    fault: 'A peer never ends its half after we have ended ours',
    does: 'closes it at the half-closed deadline',
  },
  F08: {
    fault: 'A client ends in the middle of a line',
    does: 'does not take the part for a line: an error has the bytes and their number',
  },
  F09: {
    fault: 'An idle peer vanishes',
    does: 'finds out by keep-alive probes: `timed-out`, phase `keep-alive`',
  },
  F10: {
    fault: 'A peer vanishes while we write',
    does: 'cuts it at the write-stall deadline, and not after the 15 minutes of the kernel',
  },
  F11: {
    fault: 'An idle client resets',
    does: 'rejects the read; the handler settles, and the reason is `reset`',
  },
  F13: {
    fault: 'A client resets while we write',
    does: 'rejects every `drain()` and write that waits',
  },
  F15: {
    fault: 'Our own `close()` or `abort()` while `drain()` waits',
    does: 'rejects it within one turn of the loop',
  },
  F16: {
    fault: 'More clients than the cap, all at once',
    does: 'serves as many as the cap says, refuses the others aloud, and counts them',
  },
  F17: {
    fault: 'A flood from one address',
    does: 'holds it to the cap for an address; others are unaffected',
  },
  F18: {
    fault: 'More clients than descriptors',
    does: 'says so at the start and refuses aloud; with the cap off it survives, and recovers',
  },
  F19: {
    fault: 'A line of 1 GiB without an end',
    does: 'stores the limit and one block, tells one error, and closes at 16 times the limit',
  },
  F20: {
    fault: 'A line over the limit, then a good one',
    does: 'tells exactly one error, and the next line is whole, however the bytes are cut',
  },
  F22: {
    fault: 'Random bytes, with NUL and lone CR',
    does: 'echoes them exactly; as text each bad line is one error',
  },
  F23: {
    fault: 'Text that is not valid UTF-8',
    does: 'tells one error for its line and goes on, or replaces as WHATWG says',
  },
  F24: {
    fault: 'Characters that are cut by the chunks',
    does: 'gives the same text as without a cut',
  },
  F26: {
    fault: 'Any cut of any bytes',
    does: 'gives the same, whichever way they are read',
  },
  F29: {
    fault: 'A handler throws',
    does: 'resets that connection alone, logged once with its stack',
  },
  F30: {
    fault: 'A handler rejects',
    does: 'resets that connection alone, logged once with its stack',
  },
  F31: {
    fault: 'A handler returns without reading what the client sends',
    does: 'closes cleanly: the reply arrives whole',
  },
  F32: {
    fault: 'A handler does not heed the stop',
    does: 'resolves `stop()` at the end of the grace, and names the straggler',
  },
  F33: {
    fault: 'Connecting to an address that swallows everything',
    does: 'rejects at the connect deadline, with the addresses that were tried',
  },
  F34: {
    fault: 'Connecting where nobody listens',
    does: 'rejects with a typed error that says so, and that trying again may help',
  },
  F35: {
    fault: 'Connecting to a name that does not exist',
    does: 'rejects with a typed error that has the name',
  },
  F36: {
    fault: 'An abort while connecting, in any phase',
    does: 'rejects with the reason of the signal, and leaves no socket and no listener',
    openPart: 'an abort during a TLS handshake',
  },
  F38: {
    fault: 'The port is in use',
    does: 'rejects with a typed error that has the port; after a stop the port is free at once',
  },
  F39: {
    fault: 'An address that cannot be listened on',
    does: 'rejects with a typed error, and nothing listens',
  },
  F40: {
    fault: 'SIGTERM while 50 clients pipeline',
    does: 'answers every whole line once and in order, ends, and exits with 0',
  },
  F41: {
    fault: 'A second signal during the stop',
    does: 'cuts at once, and exits with another code than 0',
  },
  F43: {
    fault: 'A stop before the start is done, twice, or from several places',
    does: 'stops once, with one outcome',
  },
  F44: {
    fault: 'One subscriber of a hundred stops reading',
    does: 'serves the others; the stuck one loses messages, which are counted, or its connection',
  },
  F45: {
    fault: '10,000 idle connections',
    does: 'keeps each for a few KiB, still serves, and closes them all at a stop',
  },
  F47: {
    fault: 'A write after the end, the close or a reset',
    does: 'throws or rejects with a typed error; never an event',
  },
  F48: {
    fault: 'Two reads at a time',
    does: 'refuses the second at once; the first is unaffected',
  },
  F50: {
    fault: 'A signal that has aborted already',
    does: 'rejects before it does anything',
  },
  F51: {
    fault: 'One signal for 100,000 operations',
    does: 'leaves no listener and no memory behind',
  },
  F53: {
    fault: 'Reads and writes of no bytes',
    does: 'does nothing; they are no end',
  },
  F54: {
    fault: 'A peer resets before it is looked at',
    does: 'survives it, whether or not its address is known',
  },
  F56: {
    fault: 'A pool whose factory always fails',
    does: 'rejects each waiter with the cause, and backs off',
  },
  F57: {
    fault: 'A peer closes a connection that idles in a pool',
    does: 'never hands it out, and opens another, where `validate` looks at its `state`',
    openPart:
      'a pool of connections that looks by itself; this is `ResourcePool` with `openConnection`',
  },
  F58: {
    fault: 'A pool is closed while somebody waits',
    does: 'rejects who waits, and destroys what is being made',
  },
  F61: {
    fault: 'A hundred callers, and their server is dead',
    does: 'makes no more attempts than the budget allows, and spreads them',
  },
  F62: {
    fault: 'Malformed HTTP',
    does: 'answers with the right 4xx or 5xx and closes; never 200, and never a hang',
  },
  F64: {
    fault: 'A terminal client whose server dies, Ctrl+C, Ctrl+D, stdin from a pipe',
    does: 'says what happened, exits with its code, restores the terminal, and has all replies first',
  },
  F65: {
    fault: 'The nth operation of a transport fails, for each n and many errors',
    does: 'ends for both sides, with an error of the kit and no wrong answer',
  },
  F66: {
    fault: '50,000 clients come and go',
    does: 'keeps nothing of them: no memory, no listener, no timer',
  },
  F70: {
    fault: 'A peer sends urgent bytes among the others',
    does: 'leaves them out of the stream, which stays in step',
  },
  F71: {
    fault: 'A peer ends and resets at once',
    does: 'gives the whole lines that came, and never a part for a line',
  },
  F72: {
    fault:
      'A function of the program throws where the kit calls it: a logger, or `onLimit`; or the reply finds no room',
    does: 'lets that be heard; streams stay in step, connections end, and so does a stop',
  },
  F73: {
    fault: 'The program ends a connection from within one of its own calls',
    does: 'ends it once: the first reason stays, every later call hears of it, and nothing follows the end',
  },
  F74: {
    fault: 'The socket is destroyed behind the back of the kit',
    does: 'rejects whoever waits, and counts no byte as sent that was not',
  },
  F75: {
    fault: 'A storm of connects and resets during a stop',
    does: 'stops in time, and counts each',
  },
  F76: {
    fault: 'Refused peers that never take the refusal',
    does: 'holds a few of them for 2 s, and a stop for no longer than its grace',
  },
  F77: {
    fault: 'Peers reset while a stop flushes to them',
    does: 'ends the stop early; each counts as a loss and has its line in the log',
  },
  F78: {
    fault: 'A peer sends on, or takes nothing, while we close',
    does: 'throws away what comes, for 10 s in all or 2 s of silence; what the kernel has taken arrives',
  },
  F79: {
    fault: 'A peer with the smallest window there is',
    does: 'answers in whatever pieces there is room for',
  },
  F80: {
    fault: 'A handler throws what cannot be looked at: a Proxy, an error whose message throws',
    does: 'resets that connection alone, or answers 500; logged once, with an error in its place',
  },
  F81: {
    fault: 'The logger throws, rejects, or makes no child',
    does: 'goes on as if it had not; faults and warnings go to stderr, which also tells of the logger',
  },
  F82: {
    fault: 'A `refusal` that throws, or one or an `onLimit` that gives what cannot be sent',
    does: 'refuses without words and logs it; for `onLimit` ends that connection alone; what can never be sent is an error of the start',
  },
  F83: {
    fault: 'A subscriber of the diagnostics channels ends the connection that it is told of',
    does: 'ends it once, whatever it was about to do with it',
  },
  F84: {
    fault: 'A listener on a signal of a connection throws',
    does: 'ends the connection, and the stop, all the same; the throw is an uncaught exception, as Node has it',
  },
  F85: {
    fault: 'Nobody reads stderr any more, and there is no logger',
    does: 'goes on; what is printed there is lost',
  },
  F86: {
    fault: 'A look-up of the program’s own gives no addresses, or fails oddly',
    does: 'rejects with the typed error of a name that cannot be looked up',
  },
} as const satisfies Record<string, Fault>

export type FaultId = keyof typeof FAULTS
