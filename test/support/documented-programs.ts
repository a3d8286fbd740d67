/** The programs of a page of the docs: run as they stand there, they must print what their comments say. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import ts from 'typescript'
import { onTestFinished } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export interface DocumentedProgram {
  readonly source: string
  /** What it says that it prints: the comments behind its calls of `console.log`. */
  readonly prints: readonly string[]
}

/** All programs of a page, by its path from the root of the repository. */
export function documentedPrograms(page: string): DocumentedProgram[] {
  const text = readFileSync(path.join(ROOT, page), 'utf8')
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, source = '']) => ({
    source,
    prints: [...source.matchAll(/^\s*console\.log\(.*\) \/\/ (.+)$/gm)].map(
      ([, line = '']) => line,
    ),
  }))
}

/** Runs a program beside an installed standpipe, and gives the lines that it prints. */
export async function playProgram({ source }: DocumentedProgram): Promise<string[]> {
  const folder = await mkdtemp(path.join(tmpdir(), 'standpipe-docs-'))
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
  return stdout.trimEnd().split('\n')
}
