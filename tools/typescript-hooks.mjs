// How Node finds and reads the TypeScript of the examples: `./name.js` is `./name.ts` where there is one, and what is
// newer than Node 20 (`await using`) is lowered. It checks no types: `npm run typecheck` does.
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { transformSync } from 'esbuild'

export function resolve(specifier, context, nextResolve) {
  if (/^\.{1,2}\/.*\.js$/.test(specifier) && context.parentURL?.endsWith('.ts')) {
    const url = new URL(specifier.replace(/\.js$/, '.ts'), context.parentURL)
    if (existsSync(url)) return { url: url.href, format: 'module', shortCircuit: true }
  }
  return nextResolve(specifier, context)
}

export function load(url, context, nextLoad) {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return nextLoad(url, context)
  const sourcefile = fileURLToPath(url)
  const { code } = transformSync(readFileSync(sourcefile, 'utf8'), {
    sourcefile,
    loader: 'ts',
    target: 'node20',
    sourcemap: 'inline',
  })
  return { format: 'module', source: code, shortCircuit: true }
}
