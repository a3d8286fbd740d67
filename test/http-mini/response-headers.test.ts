import { describe, expect, test } from 'vitest'
import { ResponseHeaders } from '../../src/http-mini/response-headers.js'

describe('ResponseHeaders', () => {
  test('compares names without their case, and keeps how they were set', () => {
    const headers = new ResponseHeaders({ 'X-One': '1' })
    headers.append('x-one', '2')
    headers.append('X-Two', 3)
    expect(headers.get('X-ONE')).toBe('1, 2')
    expect(headers.getAll('x-one')).toEqual(['1', '2'])
    expect(headers.has('x-two')).toBe(true)
    expect(headers.get('x-three')).toBeUndefined()
    expect(headers.size).toBe(3)
    expect([...headers]).toEqual([
      ['X-One', '1'],
      ['x-one', '2'],
      ['X-Two', '3'],
    ])
  })

  test('takes several values of one name', () => {
    const headers = new ResponseHeaders({ 'Set-Cookie': ['a=1', 'b=2'] })
    expect(headers.getAll('set-cookie')).toEqual(['a=1', 'b=2'])
  })

  test('set() replaces all fields of the name, delete() takes them away', () => {
    const headers = new ResponseHeaders({ A: ['1', '2'], B: '3' })
    headers.set('a', '4')
    expect([...headers]).toEqual([
      ['B', '3'],
      ['a', '4'],
    ])
    headers.delete('A')
    expect([...headers]).toEqual([['B', '3']])
  })

  test.each([
    ['a CR in a value', 'X-A', 'b\rc'],
    ['an LF in a value', 'X-A', 'b\nX-B: c'],
    ['NUL in a value', 'X-A', 'b\0'],
    ['what is not ASCII in a value', 'X-A', 'é'],
    ['a space in a name', 'X A', 'b'],
    ['a colon in a name', 'X:', 'b'],
    ['an empty name', '', 'b'],
    ['a value that is no text', 'X-A', {} as string],
  ])('refuses %s, and changes nothing', (_what, name, value) => {
    const headers = new ResponseHeaders({ 'X-A': 'a' })
    expect(() => headers.set(name, value)).toThrow(TypeError)
    expect(() => headers.append(name, value)).toThrow(TypeError)
    expect([...headers]).toEqual([['X-A', 'a']])
    expect(() => new ResponseHeaders({ [name]: value })).toThrow(TypeError)
  })
})
