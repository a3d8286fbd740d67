import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PeerText } from '../../src/cli/peer-text.js'

const bytes = (text: string): Buffer => Buffer.from(text)

describe('PeerText', () => {
  test('gives whole lines, and the unfinished one apart', () => {
    const text = new PeerText()
    expect(text.feed(bytes('a\nb\r\nlog'))).toBe('a\nb\n')
    expect(text.unfinished).toBe('log')
    expect(text.feed(bytes('in: '))).toBe('')
    expect(text.unfinished).toBe('login: ')
    expect(text.end()).toBe('login: \n')
  })

  test('gives nothing at the end of a line that is whole', () => {
    const text = new PeerText()
    expect(text.feed(bytes('a\n'))).toBe('a\n')
    expect(text.end()).toBe('')
  })

  test('makes controls visible and replaces what is no UTF-8', () => {
    const text = new PeerText()
    expect(text.feed(Buffer.from('\x1b[2J\xff\xfe\xc3\n', 'latin1'))).toBe(
      '^[[2J\ufffd\ufffd\ufffd\n',
    )
    expect(text.feed(Buffer.from('\xe2\x82', 'latin1'))).toBe('')
    expect(text.end()).toBe('\ufffd\n')
  })

  test('takes a CR at the end of a chunk for half a CRLF until it is none', () => {
    const text = new PeerText()
    expect(text.feed(bytes('a\r'))).toBe('')
    expect(text.unfinished).toBe('a')
    expect(text.feed(bytes('\nb\r'))).toBe('a\n')
    expect(text.feed(bytes('c'))).toBe('')
    expect(text.unfinished).toBe('b^Mc')
  })

  test.each(['\n', '\r\n'])(
    'breakOff() makes the terminator %j of the line no empty line',
    (lf) => {
      for (const pieces of [[`${lf}Password: `], `${lf}Password: `.split('')]) {
        const text = new PeerText()
        text.feed(bytes('login: '))
        text.breakOff()
        expect(text.unfinished).toBe('')
        expect(pieces.map((piece) => text.feed(bytes(piece))).join('')).toBe('')
        expect(text.unfinished).toBe('Password: ')
      }
    },
  )

  test('breakOff() loses nothing of a line that goes on', () => {
    const text = new PeerText()
    text.feed(bytes('login: '))
    text.breakOff()
    expect(text.feed(bytes('more\n\n'))).toBe('more\n\n')
  })

  test('breakOff() without an unfinished line changes nothing', () => {
    const text = new PeerText()
    text.breakOff()
    expect(text.feed(bytes('\n'))).toBe('\n')
  })

  test('takeUnfinished() lets the rest follow', () => {
    const text = new PeerText()
    text.feed(bytes('10 %\r'))
    expect(text.takeUnfinished()).toBe('10 %')
    expect(text.feed(bytes('\n20 %'))).toBe('\n')
    expect(text.takeUnfinished()).toBe('20 %')
    expect(text.end()).toBe('')
  })

  test('shows the end of a long unfinished line, and gives all of it', () => {
    const text = new PeerText()
    const long = `${'x'.repeat(2000)}end`
    text.feed(bytes(long))
    expect(text.unfinished).toHaveLength(1001)
    expect(text.unfinished).toMatch(/^…x+end$/)
    text.breakOff()
    expect(text.feed(bytes('\n'))).toBe(`${long}\n`)
  })

  test('breaks off a line that never ends', () => {
    const text = new PeerText()
    let shown = ''
    for (let i = 0; i < 64; i++) shown += text.feed(Buffer.alloc(4096, 'x'))
    shown += text.feed(bytes('\n')) + text.end()
    expect(shown.replaceAll('\n', '')).toHaveLength(64 * 4096)
    expect(shown.match(/\n/g)?.length).toBeLessThan(6)
  })

  test('gives the same however the bytes are cut', () => {
    const piece = fc.oneof(
      fc.constantFrom('\r', '\n', '\r\n', '\x1b', '€', '👋🏽', 'a'),
      fc.uint8Array({ maxLength: 3 }),
    )
    fc.assert(
      fc.property(fc.array(piece), fc.array(fc.nat({ max: 4 })), (pieces, cuts) => {
        const all = Buffer.concat(pieces.map((one) => Buffer.from(one as string)))
        const whole = new PeerText()
        const expected = whole.feed(all) + whole.end()
        const cut = new PeerText()
        let shown = ''
        let at = 0
        for (const size of cuts) shown += cut.feed(all.subarray(at, (at += size)))
        expect(shown + cut.feed(all.subarray(at)) + cut.end()).toBe(expected)
      }),
    )
  })
})
