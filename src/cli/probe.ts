/** What `connect --probe` prints of a connection that could be made. It sends nothing and reads nothing. */
import { describeAddress, type Connection } from '../protocol/connection.js'
import type { Output } from './stdio.js'

export interface ProbeReport {
  /** How long connecting took, the look-up of the name included. */
  ms: number
  /** One object `{ event, address, host, port, ms }`, instead of words; `path` in place of the last for a Unix socket. */
  json: boolean
}

/** Prints which address answered, and after how long. @throws OutputError, ReaderLeftError */
export async function reportProbe(
  { remote }: Connection,
  output: Output,
  { ms, json }: ProbeReport,
): Promise<void> {
  const address = describeAddress(remote)
  const fields = { event: 'connected', address, ...remote, ms: Math.round(ms * 1000) / 1000 }
  const words = `connected to ${address} in ${ms.toFixed(1)} ms`
  await output.write(`${json ? JSON.stringify(fields) : words}\n`)
  await output.flush()
}
