import { describe, expect, it } from 'vitest'
import { mediaTypeOf } from '../../src/http-mini/media-type.js'

describe('mediaTypeOf()', () => {
  it.each([
    ['a.html', 'text/html; charset=utf-8'],
    ['/some/where/app.min.JS', 'text/javascript; charset=utf-8'],
    ['a.css', 'text/css; charset=utf-8'],
    ['a.txt', 'text/plain; charset=utf-8'],
    ['a.json', 'application/json'],
    ['feed.xml', 'text/xml'],
    ['a.svg', 'image/svg+xml'],
    ['favicon.ico', 'image/x-icon'],
    ['a.wasm', 'application/wasm'],
    ['a.tar.gz', 'application/gzip'],
  ])('of %s is %s', (name, type) => {
    expect(mediaTypeOf(name)).toBe(type)
  })

  it.each(['README', 'json', 'a.', 'a.unheard', 'a.constructor', 'a.__proto__', '.html'])(
    'of %s is plain bytes',
    (name) => {
      expect(mediaTypeOf(name)).toBe('application/octet-stream')
    },
  )
})
