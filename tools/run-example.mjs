// `npm run example 4.1` (or 4-1, or asyncio-tutorial/4-1-hello-world) runs one example against the build; without a name
// it lists them. An example is a file in a folder of `examples/` that says at its end what it prints.
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const [asked, ...args] = process.argv.slice(2)

const names = readdirSync(`${root}examples`, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .flatMap(({ name: folder }) =>
    readdirSync(`${root}examples/${folder}`).map((file) => `${folder}/${file}`),
  )
  .filter((file) => file.endsWith('.ts'))
  .filter((file) => readFileSync(`${root}examples/${file}`, 'utf8').includes('\n// Prints:\n'))
  .map((file) => file.slice(0, -'.ts'.length))
  .toSorted(new Intl.Collator('en', { numeric: true }).compare)

if (asked === undefined) {
  console.log(names.join('\n'))
} else {
  const found = find(asked.replace(/^(\.\/)?examples\//, '').replace(/\.ts$/, ''))
  if (found === undefined) fail(`no example is called ${asked}; these are:\n${names.join('\n')}`)
  if (!existsSync(`${root}dist/index.js`)) fail('build first: npm run build')
  const program = spawn(
    process.execPath,
    ['--enable-source-maps', '--import', './tools/typescript.mjs', `examples/${found}.ts`, ...args],
    { cwd: root, stdio: 'inherit' },
  )
  // Ctrl+C reaches the program as well; it says when it is over.
  process.on('SIGINT', () => {})
  program.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 1)
  })
}

/** By its whole name, its name without the folder, or the number of its section. */
function find(wanted) {
  const section = wanted.replaceAll('.', '-')
  return names.find((name) => {
    const file = name.slice(name.indexOf('/') + 1)
    const [number] = /^\d+(-\d+)*/.exec(file) ?? []
    return name === wanted || file === wanted || number === section
  })
}

function fail(message) {
  console.error(message)
  process.exit(2)
}
