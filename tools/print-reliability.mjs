// Prints docs/reliability.md from the table of faults and from what its tests measure: npm run docs:reliability runs the
// tests (the build must be there) and takes their figures. With --check it only compares the page with the table, for a
// test: the figures of another run are others.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir, type as systemName } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { format, resolveConfig } from 'prettier'
import ts from 'typescript'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const PAGE = path.join(ROOT, 'docs/reliability.md')
const TABLE = path.join(ROOT, 'test/faults/fault-table.ts')

/** The table is one file without imports, so that compiling it alone is enough. */
async function readFaults() {
  const { outputText } = ts.transpileModule(readFileSync(TABLE, 'utf8'), {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  })
  const { FAULTS, NOT_BUILT } = await import(
    `data:text/javascript,${encodeURIComponent(outputText)}`
  )
  return { faults: Object.entries(FAULTS), notBuilt: NOT_BUILT }
}

/** Runs the tests, and gives for each id how many of its tests passed, and the worst figure of each thing measured. */
function measure() {
  const folder = mkdtempSync(path.join(tmpdir(), 'standpipe-figures-'))
  try {
    const file = path.join(folder, 'figures.jsonl')
    const { status } = spawnSync('npx', ['vitest', 'run', 'test/faults'], {
      cwd: ROOT,
      env: { ...process.env, STANDPIPE_FIGURES: file },
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    if (status !== 0) throw new Error('the tests have failed: no page is printed')
    if (!existsSync(file)) throw new Error('the tests have measured nothing')
    return resultsOf(readFileSync(file, 'utf8'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function resultsOf(lines) {
  const results = new Map()
  for (const line of lines.trimEnd().split('\n')) {
    const { id, passed, what, value, unit } = JSON.parse(line)
    const ofId = results.get(id) ?? { tests: 0, worst: new Map() }
    results.set(id, ofId)
    if (passed) ofId.tests++
    else if (value > (ofId.worst.get(what)?.value ?? -Infinity))
      ofId.worst.set(what, { value, unit })
  }
  return results
}

function textOf({ value, unit }) {
  if (unit === 'ms') return durationText(value)
  if (unit === 'bytes') return bytesText(value)
  return value.toLocaleString('en-GB')
}

function durationText(ms) {
  if (ms < 0.1) return `${Math.ceil(ms * 1000)} µs`
  if (ms < 10) return `${ms.toFixed(1)} ms`
  return ms < 1000 ? `${Math.round(ms)} ms` : `${Number((ms / 1000).toFixed(2))} s`
}

function bytesText(bytes) {
  // Memory may also shrink meanwhile.
  if (bytes <= 0) return 'none'
  if (bytes < 10_000) return `${Math.round(bytes)} bytes`
  return bytes < 1024 ** 2
    ? `${Math.round(bytes / 1024)} KiB`
    : `${(bytes / 1024 ** 2).toFixed(1)} MiB`
}

function cells(id, { fault, does, open, openPart }) {
  if (open !== undefined) return [id, fault, `**open** (${open}): it ${does}`]
  return [id, fault, openPart === undefined ? does : `${does}; **open**: ${openPart}`]
}

function resultCells({ open }, { tests, worst } = { tests: 0, worst: new Map() }) {
  if (open !== undefined) return [tests, 'not tested']
  const figures = [...worst].map(([what, figure]) => `${what}: ${textOf(figure)}`)
  return [tests, figures.join('; ') || '–']
}

function render(faults, notBuilt, results) {
  const open = faults.filter(([, row]) => row.open !== undefined).map(([id]) => id)
  const rows = faults.map(([id, row]) => [...cells(id, row), ...resultCells(row, results.get(id))])
  const month = new Date().toLocaleDateString('en-GB', { month: 'long', year: 'numeric' })
  const where = `Node ${process.versions.node.split('.').slice(0, 2).join('.')}, ${systemName()}, ${availableParallelism()} cores, ${month}`
  return `# What may go wrong, and what the kit makes of it

Printed from the table of faults and from what its tests measured; \`npm run build && npm run docs:reliability\` prints it
anew, and a test fails when it does not say what the table says. Each row has tests in \`test/faults\`, whose names begin
with its id${open.length > 0 ? `; open, and not tested yet, are ${open.join(', ')}` : ''}. They use the public interface, over real sockets wherever the kernel has a say.

What all of them have in common is checked behind each: the process stays up, and no rejection goes unhandled; within
1 s afterwards every connection is closed and every call has settled, and no socket, listener, process or timer is
left; each fault of a server has one line in its log and is counted once, by its reason ([observing.md](observing.md)).

Not covered at all, since the kit does not have it yet: ${notBuilt.join('; ')}. Where only a part of a row is open, the row says which.

The figures are the worst of the run: ${where}. Where one is exactly a deadline the test moved a clock of its own. "Tests" is
how many of the row's passed, which is all.

| id | what happens | the kit | tests | measured |
|---|---|---|---:|---|
${rows.map((row) => `| ${row.join(' | ')} |`).join('\n')}
`
}

const { faults, notBuilt } = await readFaults()
if (process.argv.includes('--check')) {
  const tableRows = readFileSync(PAGE, 'utf8')
    .split('\n')
    .filter((line) => /^\| F\d/.test(line))
    .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| /, '').trim()))
  const found = tableRows.map((row) => row.slice(0, 3).join(' | '))
  const wanted = faults.map(([id, row]) => cells(id, row).join(' | '))
  const stale = wanted.filter((row, i) => row !== found[i])
  if (stale.length > 0 || found.length !== wanted.length) {
    console.error('docs/reliability.md is stale: npm run build && npm run docs:reliability')
    for (const row of stale) console.error(row)
    process.exitCode = 1
  }
} else {
  const page = render(faults, notBuilt, measure())
  const options = await resolveConfig(PAGE)
  writeFileSync(PAGE, await format(page, { ...options, filepath: PAGE }))
}
