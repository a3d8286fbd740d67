/** The states of a service, as one table. */
const TRANSITIONS = {
  new: { start: 'starting' },
  starting: { started: 'running', end: 'stopping' },
  running: { end: 'stopping' },
  stopping: { ended: 'stopped', failed: 'failed' },
  stopped: { start: 'starting' },
  failed: { start: 'starting' },
} as const

/**
 * Where a {@link Service} is: `stopping` until all is cleaned up, whatever the reason; `stopped` when it ended as it
 * should, `failed` when it did not. Both can be started again.
 */
export type ServiceState = keyof typeof TRANSITIONS

/** What moves it. */
export type ServiceEvent = {
  [State in ServiceState]: keyof (typeof TRANSITIONS)[State]
}[ServiceState]

/** Where an event leads; undefined where it may not happen. */
export function nextState(state: ServiceState, event: ServiceEvent): ServiceState | undefined {
  const row: Partial<Record<ServiceEvent, ServiceState>> = TRANSITIONS[state]
  return row[event]
}
