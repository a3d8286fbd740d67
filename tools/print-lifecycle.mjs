// Prints the lifecycle table as docs/lifecycle.md: npm run docs:lifecycle. A test compares the two.
// The table is one file without imports, so that compiling it alone is enough: no build is needed.
import { readFile, writeFile } from 'node:fs/promises'
import ts from 'typescript'

const source = await readFile(new URL('../src/protocol/lifecycle.ts', import.meta.url), 'utf8')
const { outputText } = ts.transpileModule(source, {
  compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
})
const { describeLifecycle } = await import(`data:text/javascript,${encodeURIComponent(outputText)}`)
await writeFile(new URL('../docs/lifecycle.md', import.meta.url), describeLifecycle())
