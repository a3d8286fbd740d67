/**
 * Binds a listener: to a host and port, to the path of a Unix socket, or to a socket that another process has
 * opened and handed down. It accepts nothing.
 *
 * A Unix socket that a dead process left behind is in the way of its successor: it is taken away, but only
 * when it is a socket and connecting to it is refused.
 */
import { access, chmod, lstat, readFile, readlink, unlink } from 'node:fs/promises'
import net from 'node:net'
import { dirname } from 'node:path'
import { describeSystemError, ListenError } from '../errors.js'
import {
  checkHost,
  checkPort,
  DEFAULT_HOST,
  describeAddress,
  type Address,
} from '../protocol/address.js'

/** Where to listen. */
export interface ListenOptions {
  /** One interface by its address or name; every interface only by `0.0.0.0` or `::`. @default '127.0.0.1' */
  host?: string | undefined
  /** @default 0: any that is free */
  port?: number | undefined
  /** The path of a Unix socket, instead of host and port. */
  path?: string | undefined
  /** The permissions of the Unix socket, such as 0o660. @default what the process's umask leaves */
  mode?: number | undefined
  /**
   * A listening socket, TCP or Unix, that this process has inherited, instead of host and port; see
   * `activatedSockets`. The server's stop closes it here; whoever handed it down may have it open still.
   */
  fd?: number | undefined
  /** How many completed connections the kernel may hold for us. @default 511 */
  backlog?: number | undefined
}

export const DEFAULT_BACKLOG = 511

/**
 * Listens, and gives the address that it became.
 *
 * @throws ListenError with code ERR_STANDPIPE_ADDRESS_IN_USE when another process listens there
 * @throws ListenError when the address cannot be bound: permission, no such address, no such folder
 * @throws RangeError, TypeError when the options make no address
 */
export async function listen(listener: net.Server, options: ListenOptions): Promise<Address> {
  const { path, mode, fd, backlog = DEFAULT_BACKLOG } = options
  if (fd !== undefined) return await listenOn(listener, fd, options)
  if (path !== undefined) {
    if (options.port !== undefined || options.host !== undefined) {
      throw new TypeError('give either path, or host and port, not both')
    }
    if (mode !== undefined && !(Number.isInteger(mode) && mode >= 0 && mode <= 0o777)) {
      throw new RangeError(`mode must be the permissions of a file, 0 to 0o777, not ${mode}`)
    }
    await removeStaleSocket(path)
    await bind(listener, { path, backlog }, describeAddress({ path }))
    if (mode === undefined) return { path }
    try {
      await chmod(path, mode)
    } catch (cause) {
      listener.close()
      throw new ListenError(`unix:${path}`, { cause })
    }
    return { path }
  }
  const { host = DEFAULT_HOST, port = 0 } = options
  checkHost(host)
  checkPort(port, 0)
  await bind(listener, { host, port, backlog }, describeAddress({ host, port }))
  const bound = listener.address() as net.AddressInfo
  return { host: bound.address, port: bound.port }
}

async function listenOn(
  listener: net.Server,
  fd: number,
  { host, port, path, mode, backlog = DEFAULT_BACKLOG }: ListenOptions,
): Promise<Address> {
  if ([host, port, path, mode].some((value) => value !== undefined)) {
    throw new TypeError('give either fd, or where to listen, not both')
  }
  if (!Number.isInteger(fd) || fd < 0) {
    throw new RangeError(`fd must be the number of a descriptor, not ${fd}`)
  }
  // Whatever is wrong with it, libuv says EINVAL.
  await bind(listener, { fd, backlog }, `descriptor ${fd}`, 'it is not a socket to listen on')
  const bound = listener.address()
  if (bound !== null && typeof bound === 'object') return { host: bound.address, port: bound.port }
  return { path: await pathOfUnixSocket(fd) }
}

/** Node knows the path only of a Unix socket that it has bound itself. Empty where it cannot be found out. */
async function pathOfUnixSocket(fd: number): Promise<string> {
  try {
    const inode = /^socket:\[(\d+)\]$/.exec(await readlink(`/proc/self/fd/${fd}`))?.[1]
    if (inode === undefined) return ''
    const table = (await readFile('/proc/net/unix', 'utf8')).split('\n')
    const row = table
      .map((line) => line.split(' ').filter(Boolean))
      .find((columns) => columns[6] === inode)
    return row?.[7] ?? ''
  } catch {
    return ''
  }
}

function bind(
  listener: net.Server,
  options: net.ListenOptions & { fd?: number },
  where: string,
  words?: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (cause: Error): void => {
      reject(new ListenError(where, words === undefined ? { cause } : { cause, words }))
    }
    listener.once('error', onError)
    listener.listen(options, () => {
      listener.removeListener('error', onError)
      resolve()
    })
  })
}

async function removeStaleSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined)
  if (found === undefined) {
    // Of a folder that does not exist libuv says that permission is denied.
    await access(dirname(path)).catch((cause: unknown) => {
      throw new ListenError(`unix:${path}`, { cause })
    })
    return
  }
  if (!found.isSocket()) {
    throw new ListenError(`unix:${path}`, {
      words: 'there is a file of that name, and it is not a socket',
    })
  }
  const code = await new Promise<string>((resolve) => {
    const probe = net.connect(path, () => {
      probe.destroy()
      resolve('connected')
    })
    probe.once('error', (error) => {
      resolve(describeSystemError(error).code)
    })
  })
  if (code === 'ECONNREFUSED') await unlink(path)
}
