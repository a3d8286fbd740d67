import { describe, expect, expectTypeOf, it } from 'vitest'
import type { PathParams } from '../../src/http-mini/path-params.js'
import { joinPatterns, parsePattern } from '../../src/http-mini/route-pattern.js'

describe('parsePattern()', () => {
  it.each([
    ['/', { segments: [''], hasTail: false, names: [] }],
    ['/a/b', { segments: ['a', 'b'], hasTail: false, names: [] }],
    ['/a/', { segments: ['a', ''], hasTail: false, names: [] }],
    ['/users/:id', { segments: ['users', null], hasTail: false, names: ['id'] }],
    ['/:a/x/:b_2/', { segments: [null, 'x', null, ''], hasTail: false, names: ['a', 'b_2'] }],
    ['/*rest', { segments: [], hasTail: true, names: ['rest'] }],
    ['/:a/*rest', { segments: [null], hasTail: true, names: ['a', 'rest'] }],
  ])('%s is what its segments say', (text, parsed) => {
    expect(parsePattern(text)).toEqual({ text, ...parsed })
  })

  it('decodes static segments, so that literals of what is special can be written', () => {
    expect(parsePattern('/gr%C3%B6%C3%9Fe/%3Aid/%2A/a%2Fb').segments).toEqual([
      'größe',
      ':id',
      '*',
      'a/b',
    ])
    expect(parsePattern('/größe').segments).toEqual(['größe'])
  })

  it.each([
    ['', "a pattern must begin with a slash, not ''"],
    ['a', "a pattern must begin with a slash, not 'a'"],
    [undefined, 'a pattern must begin with a slash, not undefined'],
    ['/:', 'pattern /:: : must be : and a name'],
    ['/:a-:b', 'pattern /:a-:b: :a-:b must be : and a name'],
    ['/:1', 'pattern /:1: :1 must be : and a name'],
    [
      '/*',
      'pattern /*: * must be * and a name of letters, digits and _ (encode a literal one as %2A)',
    ],
    ['/:id?', 'pattern /:id?: :id? must be'],
    ['/a:b', 'pattern /a:b: a param is a whole segment, unlike a:b'],
    ['/v*', 'pattern /v*: a param is a whole segment, unlike v*'],
    ['/*a/b', 'pattern /*a/b: *a takes the whole tail, so it must be last'],
    ['/:a/:a', 'pattern /:a/:a: a is there twice'],
    ['/:a/*a', 'pattern /:a/*a: a is there twice'],
    ['/a//b', "pattern /a//b: a segment that is '' is never matched"],
    ['/a/../b', "pattern /a/../b: a segment that is '..' is never matched"],
    ['/%2E', "pattern /%2E: a segment that is '.' is never matched"],
    ['/a%zz', 'pattern /a%zz: a%zz has an escape that is none'],
    ['/a?b=c', 'pattern /a?b=c: a path has no ? and no #'],
  ])('refuses %s', (text, words) => {
    const call = (): unknown => parsePattern(text as string)
    expect(call).toThrow(TypeError)
    expect(call).toThrow(words)
  })
})

describe('joinPatterns()', () => {
  const join = (outer: string, inner: string): ReturnType<typeof parsePattern> =>
    joinPatterns(parsePattern(outer), parsePattern(inner))

  it.each([
    ['/', '/a', '/a'],
    ['/a', '/b/:c', '/a/b/:c'],
    ['/a/', '/b/', '/a/b/'],
    ['/a/:b', '/*c', '/a/:b/*c'],
    ['/', '/', '/'],
    ['/a', '/', '/a'],
    ['/a/', '/', '/a/'],
  ])('of %s and %s is %s', (outer, inner, joined) => {
    expect(join(outer, inner)).toEqual(parsePattern(joined))
  })

  it('refuses one name for two params, and anything behind a tail', () => {
    expect(() => join('/:a', '/:a')).toThrow('pattern /:a/:a: a is there twice')
    expect(() => join('/*a', '/b')).toThrow('pattern /*a: nothing can come behind a tail')
  })
})

describe('PathParams', () => {
  it('has the names of a literal pattern, and no others', () => {
    expectTypeOf<PathParams<'/users/:id/files/*path'>>().toEqualTypeOf<{
      id: string
      path: string
    }>()
    expectTypeOf<PathParams<'/:a'>>().toEqualTypeOf<{ a: string }>()
    expectTypeOf<PathParams<string>>().toEqualTypeOf<Record<string, string>>()
  })
})
