/**
 * How many descriptors this process may have open, and how many it has. A server that runs out of them loses
 * connections without any event, error or log line, so its cap on connections is derived from these numbers.
 */
import { readdirSync, readFileSync } from 'node:fs'

export interface Descriptors {
  /** The soft limit. Node raises it to the hard one when it starts. */
  readonly limit: number
  /** How many are open now. */
  readonly open: number
}

/** What libuv, V8 and the standard streams take, where they cannot be counted. Arbitrary, but above what Node 20 to 26 open. */
const ASSUMED_OPEN = 32

/** The counts of this process; undefined where there is no limit, or none can be known (Windows). */
export function countDescriptors(
  platform: NodeJS.Platform = process.platform,
): Descriptors | undefined {
  if (platform === 'win32') return undefined
  const isLinux = platform === 'linux'
  const limit = isLinux ? limitOfProc() : limitOfReport()
  if (limit === undefined || !Number.isFinite(limit)) return undefined
  return { limit, open: countEntries(isLinux ? '/proc/self/fd' : '/dev/fd') }
}

function limitOfProc(): number | undefined {
  try {
    return parseLimits(readFileSync('/proc/self/limits', 'latin1'))
  } catch {
    return undefined
  }
}

/** The soft limit on open files in the text of /proc/self/limits; Infinity for `unlimited`. */
export function parseLimits(text: string): number | undefined {
  const soft = /^Max open files +(\d+|unlimited)/m.exec(text)?.[1]
  return soft === 'unlimited' ? Infinity : soft === undefined ? undefined : Number(soft)
}

function limitOfReport(): number | undefined {
  // A report looks up the name of every peer (which blocks) unless told not to; older Nodes cannot be told.
  const report = process.report as typeof process.report & { excludeNetwork?: boolean }
  const before = report.excludeNetwork
  if (before !== undefined) report.excludeNetwork = true
  const { userLimits } = report.getReport() as {
    userLimits?: { open_files?: { soft?: number | string } }
  }
  if (before !== undefined) report.excludeNetwork = before
  const soft = userLimits?.open_files?.soft
  return typeof soft === 'number' ? soft : undefined
}

function countEntries(folder: string): number {
  try {
    return readdirSync(folder).length
  } catch {
    return ASSUMED_OPEN
  }
}
