/** A peer that takes nothing, and more was entered than a person types: it must be told, since it cannot be kept. */
export class StuckPeerError extends Error {
  constructor(peer: string, waitingBytes: number) {
    super(`connection to ${peer}: the peer takes nothing, and ${waitingBytes} bytes wait for it`)
    this.name = 'StuckPeerError'
  }
}
