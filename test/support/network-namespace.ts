/**
 * A host of its own that can vanish: a network namespace, joined to this one by a pair of virtual interfaces. It needs root and `ip`; where they are not, tests that want it are skipped and say so.
 */
import { execFileSync } from 'node:child_process'
import { onTestFinished } from 'vitest'
import { run, type RunningProgram } from './programs.js'
import { fileURLToPath } from 'node:url'

/** A host at the other end of a cable of its own. */
export interface FarHost {
  /** Our end of the cable. */
  readonly nearAddress: string
  /** The far host's own. */
  readonly farAddress: string
  /** Runs one of the programs in the folder `programs` over there, with this same Node. */
  runProgram(name: string, args: readonly string[]): RunningProgram
  /**
   * From now on nothing that is sent there arrives or is answered. Of a host that was `far away` nobody says so; one
   * `next door` is missed by the kernel itself, which then calls it unreachable.
   */
  vanish(where: 'far away' | 'next door'): void
}

/** Why there can be no namespace here; undefined when there can. */
export const noNamespaces: string | undefined = findObstacle()

let made = 0

/** Makes a far host; it is gone when the test is over. */
export function farHost(): FarHost {
  // A tag of this process, since test files run side by side; names of interfaces have 15 characters at most.
  const tag = `sp${(process.pid % 0xffff).toString(16)}x${made++}`
  const near = `${tag}n`
  const far = `${tag}f`
  const [nearAddress, farAddress] = addressPair((process.pid % 4096) * 8 + (made % 8))
  ip('netns', 'add', tag)
  onTestFinished(() => {
    ip('netns', 'del', tag)
  })
  ip('link', 'add', near, 'type', 'veth', 'peer', 'name', far, 'netns', tag)
  onTestFinished(() => {
    // By name: connections of the dead keep a namespace for minutes, and with it its end of the cable.
    ip('link', 'del', near)
  })
  ip('address', 'add', `${nearAddress}/30`, 'dev', near)
  ip('link', 'set', near, 'up')
  ip('-n', tag, 'address', 'add', `${farAddress}/30`, 'dev', far)
  ip('-n', tag, 'link', 'set', far, 'up')
  ip('-n', tag, 'link', 'set', 'lo', 'up')
  return {
    nearAddress,
    farAddress,
    runProgram(name, args) {
      const file = fileURLToPath(new URL(`programs/${name}`, import.meta.url))
      return run('ip', ['netns', 'exec', tag, process.execPath, file, ...args])
    },
    vanish(where) {
      // (A cable that is pulled out of our own end is something else again: the kernel does not count the probes that it
      // cannot even send.)
      if (where === 'far away') {
        const [{ address = '' } = {}] = JSON.parse(ip('-n', tag, '-j', 'link', 'show', far)) as {
          address?: string
        }[]
        ip('neighbour', 'replace', farAddress, 'lladdr', address, 'dev', near, 'nud', 'permanent')
      }
      ip('-n', tag, 'address', 'del', `${farAddress}/30`, 'dev', far)
      if (where === 'next door') ip('neighbour', 'flush', 'dev', near)
    },
  }
}

/** The two hosts of the nth subnet of four addresses in 198.18.0.0/15, which is set aside for tests of networks. */
function addressPair(n: number): [string, string] {
  const subnet = `198.${18 + (n >> 14)}.${(n >> 6) & 255}`
  const first = (n & 63) * 4
  return [`${subnet}.${first + 1}`, `${subnet}.${first + 2}`]
}

function ip(...args: string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

function findObstacle(): string | undefined {
  if (process.platform !== 'linux') return 'it needs the network namespaces of Linux'
  if (process.getuid?.() !== 0) return 'it needs root for a network namespace'
  const name = `sp${(process.pid % 0xffff).toString(16)}p`
  try {
    ip('netns', 'add', name)
    try {
      // Without modules for it a kernel has namespaces and no cable.
      ip('link', 'add', `${name}n`, 'type', 'veth', 'peer', 'name', `${name}f`, 'netns', name)
      return undefined
    } finally {
      ip('netns', 'del', name)
    }
  } catch {
    return 'it needs `ip`, and the right to make a network namespace'
  }
}
