/** Every program of the README is run as it stands there, and prints what its comments say. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import ts from 'typescript'
import { expect, onTestFinished, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const readme = readFileSync(path.join(ROOT, 'README.md'), 'utf8')
const programs = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => match[1] ?? '')

/** Runs a program beside an installed standpipe, and gives what it prints. */
async function play(source: string): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'standpipe-readme-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  await mkdir(path.join(folder, 'node_modules'))
  await symlink(ROOT, path.join(folder, 'node_modules/standpipe'))
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  })
  await writeFile(path.join(folder, 'program.mjs'), outputText)
  const { stdout } = await promisify(execFile)(process.execPath, ['program.mjs'], {
    cwd: folder,
    timeout: 15_000,
  })
  return stdout
}

test('README.md has programs', () => {
  expect(programs.length).toBeGreaterThanOrEqual(3)
})

test.each(programs.map((program, i) => [i + 1, program] as const))(
  'program %i of README.md prints what its comments say',
  async (_number, program) => {
    const printed = [...program.matchAll(/^\s*console\.log\(.*\) \/\/ (.+)$/gm)].map(
      (match) => match[1],
    )
    expect(printed.length).toBeGreaterThan(0)
    expect(await play(program)).toBe(`${printed.join('\n')}\n`)
  },
)
