import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { house } from '../support/house.js'
import {
  circles,
  forbiddenImports,
  readSources,
  specifiersOf,
  type Sources,
} from '../support/import-graph.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

describe('the imports of src', () => {
  const sources = readSources(root)

  test('are there to be read', () => {
    expect(sources.has('src/index.ts')).toBe(true)
  })

  test('follow the table of the house', () => {
    expect(forbiddenImports(sources, house)).toEqual([])
  })

  test('make no circle', () => {
    expect(circles(sources)).toEqual([])
  })

  test('load no package outside src/cli', () => {
    const rooms = Object.entries(house).filter(([, room]) => room.packages !== undefined)
    expect(rooms.map(([name]) => name)).toEqual(['cli'])
  })

  test('bundle packages that nobody has to install', () => {
    const bundled = Object.values(house).flatMap((room) => room.bundled ?? [])
    const { dependencies, optionalDependencies, devDependencies } = manifest
    for (const name of bundled) {
      expect({ ...dependencies, ...optionalDependencies }).not.toHaveProperty(name)
      expect(devDependencies).toHaveProperty(name)
    }
  })
})

describe('the table of the house', () => {
  test('names only rooms that it has', () => {
    const named = Object.values(house).flatMap((room) => [
      ...room.mayImport,
      ...Object.values(room.exceptions ?? {}).flat(),
    ])
    const unknown = named.filter((name) => !(name.replace(/\/.*/, '') in house))
    expect(unknown).toEqual([])
  })

  test('has no circle of rooms', () => {
    const reachable = (start: string, seen = new Set<string>()): Set<string> => {
      const room = house[start]
      for (const name of [
        ...(room?.mayImport ?? []),
        ...Object.values(room?.exceptions ?? {}).flat(),
      ]) {
        const next = name.replace(/\/.*/, '')
        if (!seen.has(next)) reachable(next, seen.add(next))
      }
      return seen
    }
    expect(Object.keys(house).filter((room) => reachable(room).has(room))).toEqual([])
  })
})

describe('specifiersOf()', () => {
  test('finds every form of import, types included', () => {
    const text = `
      import a from './a.js'
      import type { B } from './b.js'
      import './c.js'
      export * from './d.js'
      export type { E } from './e.js'
      type F = import('./f.js').F
      const g = await import('./g.js')
      import h = require('./h.js')
      const i = require('./i.js')
      const notOne = "import './x.js'" // import './y.js'
    `
    expect(specifiersOf('src/x.ts', text)).toEqual(
      'abcdefghi'.split('').map((letter) => `./${letter}.js`),
    )
  })
})

describe('forbiddenImports()', () => {
  const judge = (files: Record<string, string>): string[] => forbiddenImports(from(files), house)

  test('allows the arrows of the table', () => {
    const faults = judge({
      'src/errors.ts': '',
      'src/logger.ts': '',
      'src/concurrency/deferred.ts': `import '../errors.js'`,
      'src/observe/counters.ts': `import '../concurrency/deferred.js'`,
      'src/protocol/connection.ts': `import 'node:net'; import '../logger.js'`,
      'src/server/start-server.ts': `
        import '../protocol/connection.js'
        import './admission.js'
        import '../observe/counters.js'`,
      'src/server/admission.ts': '',
      'src/http-mini/start-http-server.ts': `import '../server/start-server.js'`,
      'src/cli/main.ts': `import 'commander'; import '../http-mini/start-http-server.js'`,
      'src/index.ts': `export * from './server/start-server.js'`,
    })
    expect(faults).toEqual([])
  })

  test('reports an arrow that the table does not have', () => {
    const faults = judge({
      'src/protocol/connection.ts': `import type { Server } from '../server/start-server.js'`,
      'src/server/start-server.ts': '',
    })
    expect(faults).toEqual([
      'src/protocol/connection.ts imports src/server/start-server.ts: protocol may not import server',
    ])
  })

  test('allows one file of a room without the rest of it', () => {
    const faults = judge({
      'src/server/start-server.ts': `import '../observe/counters.js'; import '../observe/profiler.js'`,
      'src/observe/counters.ts': '',
      'src/observe/profiler.ts': '',
    })
    expect(faults).toEqual([
      'src/server/start-server.ts imports src/observe/profiler.ts: server may not import observe',
    ])
  })

  test('keeps an exception to its file', () => {
    const faults = judge({
      'src/http-mini/router.ts': `import '../server/start-server.js'`,
      'src/server/start-server.ts': '',
    })
    expect(faults).toEqual([
      'src/http-mini/router.ts imports src/server/start-server.ts: http-mini may not import server',
    ])
  })

  test('reports an import of src/index.ts, also from cli', () => {
    const faults = judge({ 'src/index.ts': '', 'src/cli/main.ts': `import '../index.js'` })
    expect(faults).toEqual(['src/cli/main.ts imports src/index.ts'])
  })

  test('reports packages outside cli and built-in modules without node:', () => {
    const faults = judge({
      'src/cli/main.ts': `import 'pino/file'; import 'left-pad'`,
      'src/client/open-connection.ts': `import '@scope/name/deep'; import 'net'; import 'pino'`,
    })
    expect(faults).toEqual([
      'src/cli/main.ts imports the package left-pad',
      'src/client/open-connection.ts imports the package @scope/name',
      'src/client/open-connection.ts imports net: write node:net',
      'src/client/open-connection.ts imports the package pino',
    ])
  })

  test('reports a file without a room and an import that leaves src', () => {
    const faults = judge({
      'src/attic/box.ts': '',
      'src/client/line-client.ts': `import '../../test/support/eventually.js'`,
    })
    expect(faults).toEqual([
      'src/attic/box.ts is in no room of the house',
      'src/client/line-client.ts imports ../../test/support/eventually.js, which is not in src',
    ])
  })
})

describe('circles()', () => {
  test('reports a circle, one of types alone included', () => {
    const found = circles(
      from({
        'src/protocol/a.ts': `import './b.js'`,
        'src/protocol/b.ts': `import type { C } from './c.js'`,
        'src/protocol/c.ts': `export type { A } from './a.js'`,
        'src/protocol/d.ts': `import './d.js'; import './a.js'`,
      }),
    )
    expect(found).toEqual([
      'src/protocol/a.ts -> src/protocol/b.ts -> src/protocol/c.ts -> src/protocol/a.ts',
      'src/protocol/d.ts -> src/protocol/d.ts',
    ])
  })

  test('takes two ways to one file for no circle', () => {
    const found = circles(
      from({
        'src/protocol/a.ts': `import './b.js'; import './c.js'`,
        'src/protocol/b.ts': `import './d.js'`,
        'src/protocol/c.ts': `import './d.js'`,
        'src/protocol/d.ts': '',
      }),
    )
    expect(found).toEqual([])
  })
})

function from(files: Record<string, string>): Sources {
  return new Map(Object.entries(files))
}
