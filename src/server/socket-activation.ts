/**
 * Sockets that another process has opened and handed down, as systemd does for a `.socket` unit: the descriptors
 * from 3 on, announced by the variables LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES. (sd_listen_fds(3).)
 *
 * It reads an environment and opens nothing; who calls it passes `process.env`.
 */

/** A listening socket that this process was started with. */
export interface ActivatedSocket {
  /** For `startServer({ fd })`. */
  readonly fd: number
  /** What the unit calls it (`FileDescriptorName=`), where it does. */
  readonly name: string | undefined
}

/** The first descriptor after the standard streams. */
const FIRST_FD = 3
/** More than any unit has; a larger number is a mistake. Arbitrary. */
const MAX_SOCKETS = 1024

/**
 * The sockets that were handed to this process; none when the variables are absent or meant for another process
 * (a child inherits them without the sockets).
 *
 * ```ts
 * const [socket] = activatedSockets(process.env)
 * await startServer(handler, socket === undefined ? { port: 8888 } : { fd: socket.fd })
 * ```
 *
 * @throws RangeError when LISTEN_FDS is no number of sockets
 */
export function activatedSockets(
  env: Readonly<Record<string, string | undefined>>,
  pid: number = process.pid,
): ActivatedSocket[] {
  const { LISTEN_PID: meantFor, LISTEN_FDS: count, LISTEN_FDNAMES: names } = env
  if (count === undefined || meantFor !== String(pid)) return []
  if (!/^\d{1,4}$/.test(count) || Number(count) > MAX_SOCKETS) {
    throw new RangeError(
      `LISTEN_FDS must be a number of sockets, 0 to ${MAX_SOCKETS}, not ${count}`,
    )
  }
  const nameOf = names === undefined || names === '' ? [] : names.split(':')
  return Array.from({ length: Number(count) }, (_, i) => ({ fd: FIRST_FD + i, name: nameOf[i] }))
}
