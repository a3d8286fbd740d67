import { describe, expect, it } from 'vitest'
import {
  checkPreconditions,
  holdsIfRange,
  type Validators,
} from '../../src/http-mini/conditional.js'

const AT = Date.UTC(2026, 0, 10, 12)
const date = (ms: number): string => new Date(ms).toUTCString()
const current: Validators = { etag: '"a"', lastModifiedMs: AT + 250 }

type Fields = Record<string, string>
const headersOf = (fields: Fields): { get: (name: string) => string | undefined } => ({
  get: (name) => fields[name],
})

function check(fields: Fields, method = 'GET', now: Validators | undefined = current): string {
  return checkPreconditions({ method, headers: headersOf(fields) }, now)
}

describe('checkPreconditions()', () => {
  it('without any proceeds', () => {
    expect(check({})).toBe('proceed')
    expect(checkPreconditions({ method: 'GET', headers: headersOf({}) }, undefined)).toBe('proceed')
  })

  it.each([
    ['"a"', 'proceed'],
    ['"x", "a"', 'proceed'],
    ['*', 'proceed'],
    ['"b"', 'precondition-failed'],
    ['W/"a"', 'precondition-failed'],
    ['', 'precondition-failed'],
    ['a', 'precondition-failed'],
  ])('If-Match: %s is %s, for reads and writes alike', (field, result) => {
    for (const method of ['GET', 'PUT']) expect(check({ 'if-match': field }, method)).toBe(result)
  })

  it.each([
    ['"b"', 'proceed', 'proceed'],
    ['"a"', 'not-modified', 'precondition-failed'],
    ['W/"a"', 'not-modified', 'precondition-failed'],
    ['"b",W/"a"', 'not-modified', 'precondition-failed'],
    ['"x,y", "a"', 'not-modified', 'precondition-failed'],
    ['*', 'not-modified', 'precondition-failed'],
    ['a', 'proceed', 'proceed'],
    ['"a" "b"', 'proceed', 'proceed'],
    ['"a', 'proceed', 'proceed'],
  ])('If-None-Match: %s is %s for a read and %s for a write', (field, read, write) => {
    expect(check({ 'if-none-match': field })).toBe(read)
    expect(check({ 'if-none-match': field }, 'HEAD')).toBe(read)
    expect(check({ 'if-none-match': field }, 'PUT')).toBe(write)
  })

  it('If-None-Match of a weak tag compares weakly, If-Match of one never holds', () => {
    const weak = { etag: 'W/"a"' }
    expect(check({ 'if-none-match': '"a"' }, 'GET', weak)).toBe('not-modified')
    expect(check({ 'if-match': 'W/"a"' }, 'PUT', weak)).toBe('precondition-failed')
    expect(check({ 'if-match': '*' }, 'PUT', weak)).toBe('proceed')
  })

  it('* is whether there is anything', () => {
    const put = (fields: Fields): string =>
      checkPreconditions({ method: 'PUT', headers: headersOf(fields) }, undefined)
    expect(put({ 'if-none-match': '*' })).toBe('proceed')
    expect(put({ 'if-none-match': '"a"' })).toBe('proceed')
    expect(put({ 'if-match': '*' })).toBe('precondition-failed')
    expect(put({ 'if-match': '"a"' })).toBe('precondition-failed')
    expect(put({ 'if-unmodified-since': date(0) })).toBe('proceed')
  })

  it.each([
    [AT - 1000, 'proceed', 'precondition-failed'],
    [AT, 'not-modified', 'proceed'],
    [AT + 1000, 'not-modified', 'proceed'],
  ])('dates are compared in whole seconds (%d)', (at, modifiedSince, unmodifiedSince) => {
    expect(check({ 'if-modified-since': date(at) })).toBe(modifiedSince)
    expect(check({ 'if-unmodified-since': date(at) })).toBe(unmodifiedSince)
  })

  it('If-Modified-Since is for reads alone', () => {
    expect(check({ 'if-modified-since': date(AT) }, 'POST')).toBe('proceed')
    expect(check({ 'if-unmodified-since': date(AT - 1000) }, 'POST')).toBe('precondition-failed')
  })

  it('a date that is none is as good as absent, and so is one where nothing has a date', () => {
    for (const name of ['if-modified-since', 'if-unmodified-since']) {
      expect(check({ [name]: 'yesterday' })).toBe('proceed')
      expect(check({ [name]: date(0) }, 'GET', { etag: '"a"' })).toBe('proceed')
      expect(check({ [name]: `${date(0)}, ${date(0)}` })).toBe('proceed')
    }
  })

  it('tags win over dates', () => {
    const stale = date(AT - 1000)
    expect(check({ 'if-match': '"a"', 'if-unmodified-since': stale })).toBe('proceed')
    expect(check({ 'if-none-match': '"b"', 'if-modified-since': date(AT) })).toBe('proceed')
    expect(check({ 'if-none-match': '"a"', 'if-modified-since': stale })).toBe('not-modified')
  })

  it('what must hold is looked at before what must not', () => {
    expect(check({ 'if-match': '"b"', 'if-none-match': '"a"' })).toBe('precondition-failed')
    expect(check({ 'if-match': '"a"', 'if-none-match': '"a"' })).toBe('not-modified')
    expect(check({ 'if-unmodified-since': date(0), 'if-none-match': '"a"' })).toBe(
      'precondition-failed',
    )
    expect(check({ 'if-match': '"a"', 'if-modified-since': date(AT) })).toBe('not-modified')
  })
})

describe('holdsIfRange()', () => {
  const holds = (field: string | undefined, now = AT + 60_000, of = current): boolean =>
    holdsIfRange(headersOf(field === undefined ? {} : { 'if-range': field }), of, now)

  it('holds without the field', () => {
    expect(holds(undefined)).toBe(true)
  })

  it.each([
    ['"a"', true],
    ['"b"', false],
    ['W/"a"', false],
    ['*', false],
    ['a', false],
  ])('of the tag %s is %s', (field, result) => {
    expect(holds(field)).toBe(result)
  })

  it('of a weak tag is false, also for itself', () => {
    expect(holds('W/"a"', AT, { etag: 'W/"a"' })).toBe(false)
    expect(holds('"a"', AT, { lastModifiedMs: AT })).toBe(false)
  })

  it('of a date holds for exactly that one', () => {
    expect(holds(date(AT))).toBe(true)
    expect(holds(date(AT - 1000))).toBe(false)
    expect(holds(date(AT + 1000))).toBe(false)
    expect(holds(date(AT), AT + 60_000, { etag: '"a"' })).toBe(false)
  })

  it('of a date does not hold while another change may fall into its second', () => {
    expect(holds(date(AT), AT + 999)).toBe(false)
    expect(holds(date(AT), AT + 1000)).toBe(true)
  })
})
