/**
 * Which file of a folder a path of a URL names. It follows links, but only to what is inside the folder; it opens
 * nothing.
 *
 * Invariant: what it gives is the real path of something that lies in the real folder, and no name on the way, before
 * or after links were followed, is hidden unless hidden ones are allowed.
 */
import { realpath } from 'node:fs/promises'
import { join, sep } from 'node:path'

/** Names that would mean something else to the file system of this machine. */
const FOREIGN = process.platform === 'win32' ? /[\0\\:]/ : /[\0\\]/

/** What the system says of a path that names nothing: no such thing, a file on the way, too long, links in a circle. */
const NOTHING_THERE: ReadonlySet<unknown> = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP'])

/** Whether an error of the file system says that there is nothing by that name. */
export function isNothingThere(error: unknown): boolean {
  return error instanceof Error && 'code' in error && NOTHING_THERE.has(error.code)
}

/**
 * The real path of what the segments, decoded, name inside of `folder`; undefined when there is nothing, when it is
 * hidden (a name that begins with a dot), and when it lies outside.
 *
 * @throws the error of the file system when it cannot tell, such as EACCES
 */
export async function locate(
  folder: string,
  segments: readonly string[],
  allowHidden: boolean,
): Promise<string | undefined> {
  for (const segment of segments) {
    if (segment === '' || segment === '.' || segment === '..') return undefined
    if (FOREIGN.test(segment) || segment.includes('/')) return undefined
    if (!allowHidden && segment.startsWith('.')) return undefined
  }
  const [root, real] = await Promise.all([
    // Asked each time: the folder may itself be a link that is turned to a new release.
    realpath(folder),
    realpath(join(folder, ...segments)).catch((error: unknown) => {
      if (isNothingThere(error)) return undefined
      throw error
    }),
  ])
  if (real === undefined) return undefined
  const inside = root.endsWith(sep) ? root : root + sep
  if (real === root) return real
  if (!real.startsWith(inside)) return undefined
  const isHidden = real
    .slice(inside.length)
    .split(sep)
    .some((name) => name.startsWith('.'))
  return isHidden && !allowHidden ? undefined : real
}
