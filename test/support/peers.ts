/** Programs of others that the kit must get along with. Where one is not installed its tests are skipped, and say so. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const known = new Map<string, boolean>()

/** Whether a program is missing; says so on stderr, once, when it is. For `skipIf`. */
export function isMissing(program: string): boolean {
  const answer = known.get(program)
  if (answer !== undefined) return answer
  const { error } = spawnSync(program, ['--version'], { stdio: 'ignore', timeout: 10_000 })
  const missing = error !== undefined && 'code' in error && error.code === 'ENOENT'
  known.set(program, missing)
  if (missing) process.stderr.write(`${program} is not installed: the tests with it are skipped\n`)
  return missing
}

/** Where a program is; undefined, and a word on stderr, when it is missing. */
export function programPath(program: string): string | undefined {
  if (isMissing(program)) return undefined
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path))
}
