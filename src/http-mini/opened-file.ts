/** A file that is open, and what HTTP says of it: how long it is, and what tells this state of it from another. */
import { open, type FileHandle } from 'node:fs/promises'
import type { Validators } from './conditional.js'
import { OPEN_FLAGS, type FileIdentity } from './file-body.js'
import { isNothingThere } from './file-location.js'

/** A regular file that is open for reading; whoever has it closes `handle`. */
export interface OpenedFile extends FileIdentity, Required<Validators> {
  readonly handle: FileHandle
  /** In bytes. */
  readonly size: number
  readonly etag: string
  readonly lastModifiedMs: number
}

/** What the system says of what cannot be opened at all, such as a socket. */
const NOT_OPENABLE: ReadonlySet<unknown> = new Set(['ENXIO', 'ENODEV', 'EOPNOTSUPP'])

/**
 * Opens what a path names: undefined when there is nothing, or something that is no file; `folder` for a folder.
 *
 * @throws the error of the file system, such as EACCES and EMFILE
 */
export async function openFile(path: string): Promise<OpenedFile | 'folder' | undefined> {
  let handle: FileHandle
  try {
    handle = await open(path, OPEN_FLAGS)
  } catch (error) {
    if (isNothingThere(error)) return undefined
    if (error instanceof Error && 'code' in error && NOT_OPENABLE.has(error.code)) return undefined
    throw error
  }
  let opened: OpenedFile | undefined
  try {
    const stat = await handle.stat({ bigint: true })
    if (stat.isDirectory()) return 'folder'
    if (!stat.isFile()) return undefined
    opened = {
      handle,
      path,
      dev: stat.dev,
      ino: stat.ino,
      size: Number(stat.size),
      lastModifiedMs: Number(stat.mtimeNs / NS_PER_MS),
      etag: toTag(stat.size, stat.mtimeNs),
    }
    return opened
  } finally {
    if (opened === undefined) await handle.close()
  }
}

const NS_PER_MS = 1_000_000n

/** The coarsest clock that a file system keeps times by is that of FAT. */
const COARSEST_NS = 2_000_000_000n

/**
 * The length and the time of the last change, in nanoseconds, are a strong tag, without the bytes having been read: a
 * change of the bytes changes the time. That holds from when the clock of the file system has moved on; before, one
 * more change could fall on the same time, and the tag is a weak one.
 */
function toTag(size: bigint, mtimeNs: bigint): string {
  const ageNs = BigInt(Date.now()) * NS_PER_MS - mtimeNs
  return `${ageNs < COARSEST_NS ? 'W/' : ''}"${size.toString(36)}-${mtimeNs.toString(36)}"`
}
