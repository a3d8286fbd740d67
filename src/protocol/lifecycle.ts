/**
 * The life of a connection as one literal table. Whoever wants to know what may follow what reads it here;
 * `Connection` only looks it up, and docs/lifecycle.md is printed from it.
 *
 * An event that a state does not list cannot happen in it or changes nothing: it is ignored.
 * Invariant: `closed` is final, and every state leads to it.
 */

/** Where a connection is in its life. */
export type ConnectionState =
  'connecting' | 'securing' | 'open' | 'peerEnded' | 'localEnded' | 'closing' | 'closed'

/** What moves a connection on. */
export type LifecycleEvent =
  'connect' | 'secure' | 'peerEnd' | 'localEnd' | 'close' | 'cut' | 'gone'

/** What each state means. */
export const STATE_MEANINGS: Readonly<Record<ConnectionState, string>> = {
  connecting: 'the address is being tried; there is no stream yet',
  securing: 'bytes flow, but only those of a PROXY header or a TLS handshake',
  open: 'both directions carry data',
  peerEnded: 'the peer has ended its half; we may still write',
  localEnded: 'we have ended our half; the peer may still write',
  closing:
    'the end has begun. After `close()` what was written is flushed, our FIN sent, and what arrives thrown away; ' +
    'after a cut nothing more is sent; where both sides have ended by themselves, what was written is flushed ' +
    'and what has arrived can still be read',
  closed: 'the socket is gone and everything that waited has been settled',
}

/** What each event means. */
export const EVENT_MEANINGS: Readonly<Record<LifecycleEvent, string>> = {
  connect: 'the transport is connected, and nothing need be read before the user’s bytes',
  secure: 'a PROXY header or a TLS handshake comes before the user’s next byte',
  peerEnd: 'the peer’s FIN was read',
  localEnd: '`writeEof()`: our FIN follows what was written',
  close: '`close()`, or the handler ended: a clean end',
  cut: '`abort()`, a deadline, a reset or a failure: an end at once',
  gone: 'the transport has closed',
}

/** The whole truth: state → event → next state. */
export const LIFECYCLE: Readonly<
  Record<ConnectionState, Readonly<Partial<Record<LifecycleEvent, ConnectionState>>>>
> = {
  connecting: {
    connect: 'open',
    secure: 'securing',
    close: 'closing',
    cut: 'closing',
    gone: 'closed',
  },
  securing: { connect: 'open', close: 'closing', cut: 'closing', gone: 'closed' },
  open: {
    secure: 'securing',
    peerEnd: 'peerEnded',
    localEnd: 'localEnded',
    close: 'closing',
    cut: 'closing',
    gone: 'closed',
  },
  peerEnded: { localEnd: 'closing', close: 'closing', cut: 'closing', gone: 'closed' },
  localEnded: { peerEnd: 'closing', close: 'closing', cut: 'closing', gone: 'closed' },
  closing: { gone: 'closed' },
  closed: {},
}

/** The state after `event`, or undefined where the event changes nothing. */
export function nextState(
  state: ConnectionState,
  event: LifecycleEvent,
): ConnectionState | undefined {
  return LIFECYCLE[state][event]
}

/** The table as the Markdown of docs/lifecycle.md: a diagram (Mermaid), the states, and the events. */
export function describeLifecycle(): string {
  const states = Object.entries(LIFECYCLE) as [
    ConnectionState,
    Partial<Record<LifecycleEvent, ConnectionState>>,
  ][]
  const arrows = states.flatMap(([from, row]) => {
    const byTarget = groupByTarget(row)
    return [...byTarget].map(([to, events]) => `    ${from} --> ${to}: ${events.join(', ')}`)
  })
  const events = Object.keys(EVENT_MEANINGS) as LifecycleEvent[]
  const header = `| state | ${events.join(' | ')} |\n|---|${events.map(() => '---|').join('')}`
  const rows = states.map(
    ([from, row]) => `| \`${from}\` | ${events.map((event) => row[event] ?? '·').join(' | ')} |`,
  )
  return [
    '# The life of a connection',
    '',
    'Printed from the table in `src/protocol/lifecycle.ts`; a test fails when this page is stale.',
    'To print it anew: `npm run docs:lifecycle`.',
    '',
    '```mermaid',
    'stateDiagram-v2',
    '    [*] --> connecting',
    ...arrows,
    '    closed --> [*]',
    '```',
    '',
    '## States',
    '',
    ...Object.entries(STATE_MEANINGS).map(([state, meaning]) => `- \`${state}\`: ${meaning}`),
    '',
    '## Events',
    '',
    ...Object.entries(EVENT_MEANINGS).map(([event, meaning]) => `- \`${event}\`: ${meaning}`),
    '',
    '## Table',
    '',
    'A dot: the event cannot happen in that state, or changes nothing.',
    '',
    header,
    ...rows,
    '',
  ].join('\n')
}

function groupByTarget(
  row: Partial<Record<LifecycleEvent, ConnectionState>>,
): Map<ConnectionState, LifecycleEvent[]> {
  const byTarget = new Map<ConnectionState, LifecycleEvent[]>()
  for (const [event, to] of Object.entries(row) as [LifecycleEvent, ConnectionState][]) {
    byTarget.set(to, [...(byTarget.get(to) ?? []), event])
  }
  return byTarget
}
