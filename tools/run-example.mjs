// `npm run example 4.1` (or 4-1, or 4-1-hello-world) runs one example against the build; without a name it lists them.
import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = 'examples/asyncio-tutorial'
const [asked, ...args] = process.argv.slice(2)

const numeric = new Intl.Collator('en', { numeric: true })
const names = readdirSync(`${root}${folder}`)
  .filter((file) => /^\d.*\.ts$/.test(file))
  .map((file) => file.slice(0, -'.ts'.length))
  .toSorted(numeric.compare)

if (asked === undefined) {
  console.log(names.join('\n'))
} else {
  const start = asked.replace(/\.ts$/, '').replaceAll('.', '-')
  const found =
    names.find((name) => name === start) ??
    names.find((name) => name.startsWith(`${start}-`) && !/^\d/.test(name.slice(start.length + 1)))
  if (found === undefined) fail(`no example is called ${asked}; these are:\n${names.join('\n')}`)
  if (!existsSync(`${root}dist/index.js`)) fail('build first: npm run build')
  const program = spawn(
    process.execPath,
    [
      '--enable-source-maps',
      '--import',
      './tools/typescript.mjs',
      `${folder}/${found}.ts`,
      ...args,
    ],
    { cwd: root, stdio: 'inherit' },
  )
  // Ctrl+C reaches the program as well; it says when it is over.
  process.on('SIGINT', () => {})
  program.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 1)
  })
}

function fail(message) {
  console.error(message)
  process.exit(2)
}
