/** What a user gets from the registry: the tarball, installed in an empty folder, by each way of loading it. */
import { execFile } from 'node:child_process'
import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const TSC = path.join(ROOT, 'node_modules/typescript/bin/tsc')

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'standpipe-package-'))
  // The build has been made; packing must not make it again while other tests run it.
  await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], { cwd: ROOT })
  const [tarball] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'))
  await writeFile(path.join(folder, 'package.json'), '{ "name": "empty", "private": true }')
  const quiet = ['--no-audit', '--no-fund', '--prefer-offline', '--ignore-scripts']
  await run('npm', ['install', ...quiet, `./${tarball}`], { cwd: folder })
}, 120_000)

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

/** What a program in that folder prints. */
async function play(name: string, source: string): Promise<string> {
  const file = path.resolve(folder, name)
  await writeFile(file, source)
  return (await run(process.execPath, ['--no-warnings', file], { cwd: folder })).stdout
}

const ECHO = `
  const server = await startServer(async ({ reader, writer }) => {
    for await (const line of reader.lines()) writer.write(line + '!\\n')
  })
  const connection = await openConnection({ port: server.address.port })
  connection.writer.write('hello\\n')
  console.log(await connection.reader.readLine())
  await connection.close()
  await server.stop()
`

test('an import serves and connects', async () => {
  const source = `import { openConnection, startServer } from 'standpipe'\n${ECHO}`
  expect(await play('import.mjs', source)).toBe('hello!\n')
})

test('a require serves and connects', async () => {
  const source = `const { openConnection, startServer } = require('standpipe')\n;(async () => {${ECHO}})()`
  expect(await play('require.cjs', source)).toBe('hello!\n')
})

test('a worker loop finds what its thread runs, in the package and in a bundle of any kind', async () => {
  const tasks = `
    export const double = (n) => n * 2
    export const fail = () => { throw new TypeError('no', { cause: new Error('why') }) }
  `
  await writeFile(path.join(folder, 'tasks.mjs'), tasks)
  const source = `
    import { WorkerLoop } from 'standpipe/concurrency'
    const loop = new WorkerLoop(new URL('tasks.mjs', import.meta.url))
    await loop.start()
    const error = await loop.submit('fail').catch((reason) => reason)
    console.log(await loop.submit('double', 21), error instanceof TypeError, error.cause.message)
    await loop.stop()
  `
  expect(await play('worker.mjs', source)).toBe('42 true why\n')

  const esbuild = path.join(ROOT, 'node_modules/.bin/esbuild')
  const bundle = [
    'worker.mjs',
    '--bundle',
    '--platform=node',
    '--format=esm',
    '--outfile=bundle.mjs',
  ]
  for (const options of [[], ['--minify', '--keep-names']]) {
    await run(esbuild, [...bundle, ...options], { cwd: folder })
    const { stdout } = await run(process.execPath, ['bundle.mjs'], { cwd: folder })
    expect(stdout).toBe('42 true why\n')
  }
})

test('each class exists once over all entries', async () => {
  const source = `
    import { BusyError, Connection } from 'standpipe'
    import { connectionPair } from 'standpipe/testing'
    const { client } = connectionPair()
    client.reader.readLine().catch(() => {})
    const busy = await client.reader.readLine().catch((error) => error)
    console.log(client instanceof Connection, busy instanceof BusyError, busy.code)
    client.abort()
  `
  expect(await play('identity.mjs', source)).toBe('true true ERR_STANDPIPE_BUSY\n')
})

test('the library entries load nothing but node: modules', async () => {
  // Not below the other folder, where the dependencies of the command would be found.
  const bare = await mkdtemp(path.join(tmpdir(), 'standpipe-bare-'))
  onTestFinished(() => rm(bare, { recursive: true, force: true }))
  await cp(path.join(folder, 'node_modules/standpipe'), path.join(bare, 'node_modules/standpipe'), {
    recursive: true,
  })
  const entries = Object.keys(manifest.exports)
    .filter((name) => name !== './package.json')
    .map((name) => name.replace('.', 'standpipe'))
  expect(entries).toContain('standpipe/http-mini')
  const source = `
    const entries = await Promise.all(${JSON.stringify(entries)}.map((name) => import(name)))
    console.log(entries.every((entry) => Object.keys(entry).length > 0))
  `
  await writeFile(path.join(bare, 'package.json'), '{ "private": true }')
  expect(await play(path.join(bare, 'entries.mjs'), source)).toBe('true\n')
})

test('the types are those of a strict program, without skipLibCheck', async () => {
  const source = `
    import { openConnection, startServer, type Connection } from 'standpipe'
    import { checkByteStream, connectionPair } from 'standpipe/testing'
    const server = await startServer(({ writer }: Connection) => { writer.write('hello\\n') })
    const port: number = server.address.port
    const connection = await openConnection({ port })
    const line: string | null = await connection.reader.readLine()
    const bytes: Buffer | null = await connection.reader.readLine({ encoding: 'buffer' })
    // @ts-expect-error what the kit calls among its own files is not public
    connection.closeBecause({ kind: 'ended' })
    export { line, bytes, checkByteStream, connectionPair }
  `
  await writeFile(path.join(folder, 'types.mts'), source)
  const options = {
    strict: true,
    noEmit: true,
    module: 'nodenext',
    target: 'es2022',
    lib: ['es2023', 'esnext.disposable'],
    types: ['node'],
    typeRoots: [path.join(ROOT, 'node_modules/@types')],
  }
  await writeFile(
    path.join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: options, files: ['types.mts'] }),
  )
  const { stdout } = await run(process.execPath, [TSC, '-p', folder], { cwd: folder }).catch(
    (error: { stdout: string }) => error,
  )
  expect(stdout).toBe('')
})

test('npx standpipe runs', async () => {
  const { stdout } = await run('npx', ['--no-install', 'standpipe', '--version'], { cwd: folder })
  expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
})

test('the tarball has the build, the docs of a package, and nothing else', async () => {
  const installed = await readdir(path.join(folder, 'node_modules/standpipe'))
  expect(installed.toSorted()).toEqual([
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'dist',
    'package.json',
  ])
})
