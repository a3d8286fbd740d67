import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { printable } from '../../src/cli/printable.js'

describe('printable()', () => {
  test.each([
    ['an escape sequence', 'a\x1b[31mred\x1b[0m', 'a^[[31mred^[[0m'],
    ['a title', '\x1b]0;title\x07', '^[]0;title^G'],
    ['a lone carriage return', 'safe\rrm -rf', 'safe^Mrm -rf'],
    ['NUL, backspace and DEL', '\0\b\x7f', '^@^H^?'],
    ['the C1 controls', '\x80\x9b2J\x9f', '\\x80\\x9b2J\\x9f'],
    ['bidi overrides and isolates', 'a\u202eb\u2066c\u2069', 'a\\u202eb\\u2066c\\u2069'],
    ['bidi marks', '\u061c\u200e\u200f', '\\u061c\\u200e\\u200f'],
    ["Unicode's line and paragraph separators", 'a\u2028b\u2029c', 'a\\u2028b\\u2029c'],
  ])('shows %s', (_what, text, shown) => {
    expect(printable(text)).toBe(shown)
  })

  test.each([
    ['tabs and line feeds', 'a\tb\n'],
    ['every script', 'Grüße, 服务器, שלום, नमस्ते'],
    ['an emoji that is joined from several', '👩‍🚀👋🏽'],
    ['a no-break space and accents', '\u00a0e\u0301'],
  ])('leaves %s', (_what, text) => {
    expect(printable(text)).toBe(text)
  })

  test('leaves nothing that a terminal obeys, and changes nothing when applied again', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const shown = printable(text)
        // oxlint-disable-next-line no-control-regex -- it is what is looked for
        expect(shown).not.toMatch(/[\0-\x08\x0b-\x1f\x7f-\x9f]/)
        expect(printable(shown)).toBe(shown)
      }),
    )
  })
})
