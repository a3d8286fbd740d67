/** The tree beside a matcher that is slow and obvious: it tries every route, and sorts those that fit. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parsePattern, type RoutePattern } from '../../src/http-mini/route-pattern.js'
import { RouteTree, type Route } from '../../src/http-mini/route-tree.js'

const METHODS = ['GET', 'HEAD', 'POST', undefined] as const
type Method = (typeof METHODS)[number]
type Added = readonly [method: Method, pattern: RoutePattern]

/** Few different words, so that many routes fit one path. */
const word = fc.constantFrom('a', 'b', 'ä', 'a/b')
const literal = fc.oneof({ weight: 4, arbitrary: word }, fc.constant(':'))
const pattern = fc
  .record({
    segments: fc.array(literal, { maxLength: 4 }),
    end: fc.constantFrom('', '/', '/*t'),
  })
  .map(({ segments, end }) => {
    const words = segments.map((one, at) => (one === ':' ? `:p${at}` : encodeURIComponent(one)))
    const text = words.map((one) => `/${one}`).join('') + end
    return parsePattern(text === '' ? '/' : text)
  })

/** Segments as a client may write them, dots and nothing included. */
const sent = fc
  .tuple(
    fc.oneof({ weight: 6, arbitrary: word }, fc.constantFrom('', '.', '..', 'c')),
    fc.boolean(),
  )
  .map(([segment, isEncoded]) =>
    isEncoded && segment !== ''
      ? [...Buffer.from(segment)].map((byte) => `%${byte.toString(16)}`).join('')
      : encodeURIComponent(segment),
  )
const path = fc.array(sent, { maxLength: 6 }).map((segments) => `/${segments.join('/')}`)

const isSlash = (segment: string | null | undefined): boolean => segment === ''

/** The values of the params, if the pattern fits. */
function fit(
  { segments: wanted, hasTail }: RoutePattern,
  segments: readonly string[],
  ignoreSlash: boolean,
): string[] | undefined {
  const own = ignoreSlash && !hasTail && isSlash(wanted.at(-1)) ? wanted.slice(0, -1) : wanted
  const given = ignoreSlash && isSlash(segments.at(-1)) ? segments.slice(0, -1) : segments
  if (segments.some((segment) => segment === '.' || segment === '..')) return undefined
  if (hasTail ? given.length < own.length : given.length !== own.length) return undefined
  const values: string[] = []
  for (const [at, segment] of own.entries()) {
    const value = given[at] ?? ''
    if (segment === null && value !== '') values.push(value)
    else if (segment !== value) return undefined
  }
  if (!hasTail) return values
  if (segments.length === own.length && !ignoreSlash) return undefined
  const tail = segments.slice(own.length).map((segment) => segment.split('/').join('%2F'))
  return [...values, tail.join('/')]
}

/** 0 for static, 1 for a param, 2 for a tail, segment by segment; the least comes first. */
function rank({ segments: wanted, hasTail }: RoutePattern, ignoreSlash: boolean): string {
  const segments = ignoreSlash && !hasTail && isSlash(wanted.at(-1)) ? wanted.slice(0, -1) : wanted
  return segments.map((segment) => (segment === null ? 1 : 0)).join('') + (hasTail ? '2' : '')
}

function takes(method: Method, wanted: string): number {
  if (method === wanted) return 0
  if (method === 'GET' && wanted === 'HEAD') return 1
  return method === undefined ? 2 : Infinity
}

function slowly(
  added: readonly Added[],
  method: string,
  at: string,
  ignoreSlash: boolean,
): unknown {
  const segments = at.slice(1).split('/').map(decodeURIComponent)
  const fitting = added.flatMap(([own, one]) => {
    const values = fit(one, segments, ignoreSlash)
    const order = takes(own, method)
    return values === undefined || order === Infinity
      ? []
      : [{ key: `${rank(one, ignoreSlash)} ${order}`, is: [own, one.text, values] }]
  })
  return fitting.toSorted((a, b) => (a.key < b.key ? -1 : 1))[0]?.is
}

const shapeOf = ([method, { segments, hasTail }]: Added, ignoreSlash: boolean): string => {
  const own = ignoreSlash && !hasTail && isSlash(segments.at(-1)) ? segments.slice(0, -1) : segments
  return JSON.stringify([method, own, hasTail])
}

function isFree(tree: RouteTree<undefined>, route: Route<undefined>): boolean {
  try {
    tree.check(route)
    return true
  } catch {
    return false
  }
}

describe('RouteTree, as a property', () => {
  it('finds what trying every route and sorting would find', () => {
    const property = fc.property(
      fc.array(fc.tuple(fc.constantFrom(...METHODS), pattern), { maxLength: 12 }),
      fc.array(fc.tuple(fc.constantFrom('GET', 'HEAD', 'POST', 'BREW'), path), { maxLength: 8 }),
      fc.boolean(),
      (routes, requests, ignoreSlash) => {
        const tree = new RouteTree<undefined>({ ignoreTrailingSlash: ignoreSlash })
        const added: Added[] = []
        const shapes = new Set<string>()
        for (const one of routes) {
          const [method, own] = one
          const isNew = !shapes.has(shapeOf(one, ignoreSlash))
          const route = { method, pattern: own, value: undefined }
          expect(isFree(tree, route)).toBe(isNew)
          if (!isNew) continue
          shapes.add(shapeOf(one, ignoreSlash))
          tree.add(route)
          added.push(one)
        }
        for (const [method, at] of requests) {
          const match = tree.match(method, at)
          const found = match && [match.route.method, match.route.pattern.text, match.values]
          expect(found).toEqual(slowly(added, method, at, ignoreSlash))
          const methods = tree.methodsAt(at)
          for (const own of methods) expect(tree.match(own, at)).toBeDefined()
        }
      },
    )
    fc.assert(property, { numRuns: 2000 })
  })
})
