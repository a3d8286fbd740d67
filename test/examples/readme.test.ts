/** The page of the examples lists them, and `npm run example` finds them by what a user calls them. */
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { specifiersOf } from '../support/import-graph.js'
import { examplesOf } from '../support/examples.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const FOLDERS = ['asyncio-tutorial', 'asyncio-names', 'servers']
const names = FOLDERS.flatMap((folder) => examplesOf(folder).map(({ name }) => name))

function runTool(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  return promisify(execFile)(process.execPath, ['tools/run-example.mjs', ...args], { cwd: ROOT })
}

test('examples/ has no other folders', () => {
  const folders = readdirSync(`${ROOT}/examples`, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
  expect(folders.toSorted()).toEqual(FOLDERS.toSorted())
})

test('examples/README.md lists every example once, in order', () => {
  const page = readFileSync(`${ROOT}/examples/README.md`, 'utf8')
  const linked = [...page.matchAll(/\]\(([^)]*)\.ts\)/g)].map(([, name]) => name)
  expect(linked).toEqual(names)
})

test('examples import what a user can import: public entries, Node, and parts beside them', () => {
  const manifest = JSON.parse(readFileSync(`${ROOT}/package.json`, 'utf8')) as {
    exports: Record<string, unknown>
  }
  const entries = Object.keys(manifest.exports).map((entry) => entry.replace('.', 'standpipe'))
  const imported = FOLDERS.flatMap((folder) =>
    readdirSync(`${ROOT}/examples/${folder}`).flatMap((file) =>
      specifiersOf(file, readFileSync(`${ROOT}/examples/${folder}/${file}`, 'utf8')),
    ),
  )
  expect(imported.length).toBeGreaterThan(names.length)
  const others = imported.filter((name) => !/^(node:|\.\/)/.test(name) && !entries.includes(name))
  expect(others).toEqual([])
})

describe('npm run example', () => {
  test('lists all of them', async () => {
    const { stdout } = await runTool()
    expect(stdout.trimEnd().split('\n').toSorted()).toEqual(names.toSorted())
  })

  test.each([
    '4.5',
    '4-5',
    '4-5-async-functions',
    'asyncio-tutorial/4-5-async-functions',
    'examples/asyncio-tutorial/4-5-async-functions.ts',
  ])('finds %s', async (asked) => {
    expect((await runTool(asked)).stdout).toContain('an ordinary function')
  })

  test('says which there are when it is asked for one that there is not', async () => {
    const error = await runTool('4').catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 2, stdout: '' })
    expect((error as { stderr: string }).stderr).toContain('asyncio-tutorial/4-1-hello-world')
  })
})
