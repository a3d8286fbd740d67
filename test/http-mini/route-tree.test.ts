import { describe, expect, it } from 'vitest'
import { parsePattern } from '../../src/http-mini/route-pattern.js'
import { RouteTree, type Route } from '../../src/http-mini/route-tree.js'

const route = (pattern: string, method?: string): Route<string> => ({
  method,
  pattern: parsePattern(pattern),
  value: pattern,
})

function treeOf(
  routes: readonly (readonly [string, string | undefined])[],
  ignoreTrailingSlash = false,
): RouteTree<string> {
  const tree = new RouteTree<string>({ ignoreTrailingSlash })
  for (const [pattern, method] of routes) tree.add(route(pattern, method))
  return tree
}

/** `pattern values…` of a match. */
function found(tree: RouteTree<string>, path: string, method = 'GET'): string | undefined {
  const match = tree.match(method, path)
  return match === undefined ? undefined : [match.route.value, ...match.values].join(' ')
}

const gets = (...patterns: string[]): RouteTree<string> =>
  treeOf(patterns.map((pattern) => [pattern, 'GET']))

/** Every order of a short list. */
function orders<T>(list: readonly T[]): T[][] {
  if (list.length < 2) return [[...list]]
  return list.flatMap((one, at) => orders(list.toSpliced(at, 1)).map((rest) => [one, ...rest]))
}

describe('RouteTree.match()', () => {
  it('prefers static to param to tail, whatever the order of registration', () => {
    for (const order of orders(['/users/me', '/users/:id', '/users/*rest', '/*all'])) {
      const tree = gets(...order)
      expect(found(tree, '/users/me')).toBe('/users/me')
      expect(found(tree, '/users/7')).toBe('/users/:id 7')
      expect(found(tree, '/users/7/x')).toBe('/users/*rest 7/x')
      expect(found(tree, '/users/')).toBe('/users/*rest ')
      expect(found(tree, '/users')).toBe('/*all users')
    }
  })

  it('tries the siblings of a static branch that comes to nothing', () => {
    const tree = gets('/a/b/c', '/:x/b/d', '/a/*rest', '/:x/:y/e')
    expect(found(tree, '/a/b/c')).toBe('/a/b/c')
    expect(found(tree, '/a/b/d')).toBe('/a/*rest b/d')
    expect(found(tree, '/z/b/d')).toBe('/:x/b/d z')
    expect(found(tree, '/z/b/e')).toBe('/:x/:y/e z b')
    expect(found(tree, '/z/b/f')).toBeUndefined()
  })

  it('prefers a route that takes the method to one that is more specific', () => {
    const tree = treeOf([
      ['/users/me', 'GET'],
      ['/users/:id', 'PUT'],
      ['/users/*rest', undefined],
    ])
    expect(found(tree, '/users/me', 'PUT')).toBe('/users/:id me')
    expect(found(tree, '/users/me', 'DELETE')).toBe('/users/*rest me')
  })

  it('gives HEAD the route of GET, unless it has one of its own', () => {
    const tree = treeOf([
      ['/a', 'GET'],
      ['/b', 'GET'],
      ['/b', 'HEAD'],
      ['/c', undefined],
    ])
    expect(tree.match('HEAD', '/a')?.route.method).toBe('GET')
    expect(tree.match('HEAD', '/b')?.route.method).toBe('HEAD')
    expect(tree.match('HEAD', '/c')?.route.method).toBeUndefined()
  })

  it('prefers the route of a method to one of every method', () => {
    const tree = treeOf([
      ['/a', undefined],
      ['/a', 'POST'],
    ])
    expect(tree.match('POST', '/a')?.route.method).toBe('POST')
    expect(tree.match('BREW', '/a')?.route.method).toBeUndefined()
  })

  it('decodes each segment once, and leaves an encoded slash in its own', () => {
    const tree = gets('/files/:name', '/files/:name/meta', '/größe', '/a%2Fb', '/*rest')
    expect(found(tree, '/files/a%20b')).toBe('/files/:name a b')
    expect(found(tree, '/files/a+b')).toBe('/files/:name a+b')
    expect(found(tree, '/files/%2541')).toBe('/files/:name %41')
    expect(found(tree, '/files/a%2Fmeta')).toBe('/files/:name a/meta')
    expect(found(tree, '/%66iles/x/met%61')).toBe('/files/:name/meta x')
    expect(found(tree, '/gr%C3%B6%c3%9fe')).toBe('/größe')
    expect(found(tree, '/a%2fb')).toBe('/a%2Fb')
    expect(found(tree, '/a/b')).toBe('/*rest a/b')
    expect(found(tree, '/x%2Fy/z%20z')).toBe('/*rest x%2Fy/z z')
  })

  it.each(['/%', '/a/%zz', '/%C0%80', '/%ED%A0%80', '/%E2%82', '/ok/%ff/x'])(
    'throws URIError for %s, whether or not a route would fit',
    (path) => {
      expect(() => gets('/*rest').match('GET', path)).toThrow(URIError)
      expect(() => gets('/a').match('GET', path)).toThrow(URIError)
    },
  )

  it('does not take a malformed path for the static pattern that reads like it', () => {
    const tree = gets('/100%25')
    expect(found(tree, '/100%25')).toBe('/100%25')
    expect(() => tree.match('GET', '/100%')).toThrow(URIError)
  })

  it.each(['/a/../b', '/./b', '/a/..', '/a/%2e%2E/b', '/%2e', '/a/.%2E'])(
    'has nothing for the dot segment of %s',
    (path) => {
      const tree = gets('/*rest', '/a/:x', '/b')
      expect(found(tree, path)).toBeUndefined()
    },
  )

  it('gives empty segments to tails alone', () => {
    const tree = gets('/a/:x', '/t/*rest')
    for (const path of ['//a/b', '/a//', '/a/', '/a//b', '/a/b//']) {
      expect(found(tree, path)).toBeUndefined()
    }
    expect(found(tree, '/t//a///b/')).toBe('/t/*rest /a///b/')
  })

  it('takes a trailing slash for significant', () => {
    const tree = gets('/a', '/b/', '/c/:x', '/t/*rest', '/d', '/d/')
    expect(found(tree, '/a/')).toBeUndefined()
    expect(found(tree, '/b')).toBeUndefined()
    expect(found(tree, '/c/x/')).toBeUndefined()
    expect(found(tree, '/t')).toBeUndefined()
    expect(found(tree, '/t/')).toBe('/t/*rest ')
    expect(found(tree, '/d')).toBe('/d')
    expect(found(tree, '/d/')).toBe('/d/')
  })

  it('ignores a trailing slash where it is told to, but for tails', () => {
    const tree = treeOf(
      [
        ['/', 'GET'],
        ['/a', 'GET'],
        ['/b/', 'GET'],
        ['/c/:x', 'GET'],
        ['/t/*rest', 'GET'],
      ],
      true,
    )
    expect(found(tree, '/')).toBe('/')
    expect(found(tree, '//')).toBeUndefined()
    for (const path of ['/a', '/a/', '/%61/']) expect(found(tree, path)).toBe('/a')
    for (const path of ['/b', '/b/']) expect(found(tree, path)).toBe('/b/')
    for (const path of ['/c/x', '/c/x/']) expect(found(tree, path)).toBe('/c/:x x')
    expect(found(tree, '/a//')).toBeUndefined()
    expect(found(tree, '/t')).toBe('/t/*rest ')
    expect(found(tree, '/t/')).toBe('/t/*rest ')
    expect(found(tree, '/t/a/')).toBe('/t/*rest a/')
    expect(() => tree.add(route('/a/', 'GET'))).toThrow(RangeError)
  })

  it.each(['*', '', 'a', 'http://a/b'])('has nothing for %j, which is no path', (path) => {
    expect(found(gets('/*rest'), path)).toBeUndefined()
  })

  it('takes a path of any length', () => {
    const path = '/a'.repeat(4000)
    expect(found(gets('/:x', '/a/*rest'), path)).toBe(`/a/*rest ${path.slice(3)}`)
    expect(found(gets('/:x'), path)).toBeUndefined()
  })

  it('visits no node twice, so that branches do not multiply', () => {
    const tree = new RouteTree<string>()
    for (let bits = 0; bits < 1 << 10; bits++) {
      const words = Array.from({ length: 10 }, (_, at) => (bits & (1 << at) ? 'a' : `:p${at}`))
      tree.add(route(`/${words.join('/')}/end`, 'GET'))
    }
    const path = `/${'a/'.repeat(10)}`
    expect(found(tree, `${path}end`)).toBe(`${path}end`)
    expect(found(tree, `${path}off`)).toBeUndefined()
  })
})

describe('RouteTree.add()', () => {
  it.each([
    ['/a', '/a', 'GET /a is the same as /a, which has a route already'],
    ['/:x/b', '/:y/b', 'GET /:y/b is the same as /:x/b, which has a route already'],
    ['/*x', '/*y', 'GET /*y is the same as /*x, which has a route already'],
    ['/größe', '/gr%C3%B6%C3%9Fe', 'is the same as /größe'],
  ])('refuses, after %s, %s', (first, second, words) => {
    const tree = gets(first)
    const add = (): void => tree.add(route(second, 'GET'))
    expect(add).toThrow(RangeError)
    expect(add).toThrow(words)
    tree.add(route(second, 'POST'))
    tree.add(route(second))
    expect(() => tree.add(route(first))).toThrow('every method of')
  })

  it('lets the names of params differ between the methods of one shape', () => {
    const tree = treeOf([
      ['/users/:id', 'GET'],
      ['/users/:name', 'PUT'],
    ])
    expect(tree.match('PUT', '/users/x')?.route.pattern.names).toEqual(['name'])
    expect(tree.match('GET', '/users/x')?.route.pattern.names).toEqual(['id'])
  })
})

describe('RouteTree.check()', () => {
  it('throws where add() would, and adds nothing', () => {
    const tree = gets('/a/:x', '/t/*rest')
    expect(() => tree.check(route('/a/:y', 'GET'))).toThrow('GET /a/:y is the same as /a/:x')
    expect(() => tree.check(route('/t/*y', 'GET'))).toThrow(RangeError)
    for (const free of [route('/a/:y', 'PUT'), route('/a/b/:y', 'GET'), route('/t', 'GET')]) {
      tree.check(free)
      tree.check(free)
      tree.add(free)
      expect(() => tree.check(free)).toThrow(RangeError)
    }
  })
})

describe('RouteTree.methodsAt()', () => {
  const tree = treeOf([
    ['/users/me', 'GET'],
    ['/users/:id', 'PUT'],
    ['/users/*rest', 'DELETE'],
    ['/*all', 'GET'],
    ['/*all', 'PATCH'],
  ])

  it('has the methods of every route that fits', () => {
    expect([...tree.methodsAt('/users/me')].toSorted()).toEqual(['DELETE', 'GET', 'PATCH', 'PUT'])
    expect([...tree.methodsAt('/users/7/x')].toSorted()).toEqual(['DELETE', 'GET', 'PATCH'])
  })

  it('is empty where a tail at the root alone fits, and where nothing does', () => {
    expect(tree.methodsAt('/other')).toEqual(new Set())
    expect(tree.methodsAt('/users/../me')).toEqual(new Set())
    expect(tree.methodsAt('*')).toEqual(new Set())
  })

  it('throws URIError as match() does', () => {
    expect(() => tree.methodsAt('/%')).toThrow(URIError)
  })
})
