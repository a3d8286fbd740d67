import { defineConfig } from 'tsup'
import manifest from './package.json' with { type: 'json' }

// The entries that a program imports: each has types and a line in the exports map of package.json.
const libraryEntries = {
  index: 'src/index.ts',
  'concurrency/index': 'src/concurrency/index.ts',
  'observe/index': 'src/observe/index.ts',
  'http-mini/index': 'src/http-mini/index.ts',
  'testing/index': 'src/testing/index.ts',
}

export default defineConfig({
  entry: { ...libraryEntries, 'cli/main': 'src/cli/main.ts' },
  format: 'esm',
  // Both targets, so that `using` and `await using`, which Node 20 cannot parse, are lowered.
  target: ['es2022', 'node20'],
  platform: 'node',
  // Code that entries share goes into common chunks, so each class exists once over all entries.
  splitting: true,
  // Otherwise `node:net` is rewritten to `net`.
  removeNodeProtocol: false,
  // tsup leaves out `dependencies` by itself, but would bundle these.
  external: Object.keys(manifest.optionalDependencies),
  dts: {
    entry: libraryEntries,
    // tsup sets `baseUrl`, which TypeScript 6 reports as deprecated. What is marked @internal stays out.
    compilerOptions: { ignoreDeprecations: '6.0', stripInternal: true },
  },
  sourcemap: true,
  clean: true,
})
