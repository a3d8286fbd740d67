import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatEvent, HEARTBEAT, type ServerSentEvent } from '../../src/http-mini/event-text.js'

describe('formatEvent()', () => {
  it.each<[ServerSentEvent | string, string]>([
    ['hello', 'data: hello\n\n'],
    ['', 'data: \n\n'],
    [{ data: 'hello' }, 'data: hello\n\n'],
    [{ data: { a: [1, null] } }, 'data: {"a":[1,null]}\n\n'],
    [{ data: null }, 'data: null\n\n'],
    [{ data: 0 }, 'data: 0\n\n'],
    [
      { event: 'tick', id: '7', retry: 2000, data: 'x', comment: 'why' },
      ': why\nevent: tick\nid: 7\nretry: 2000\ndata: x\n\n',
    ],
    [{ event: 'tick' }, 'event: tick\ndata:\n\n'],
    [{ id: '' }, 'id: \n\n'],
    [{ retry: 0 }, 'retry: 0\n\n'],
    [{ comment: 'a\nb' }, ': a\n: b\n\n'],
    [{}, '\n'],
  ])('of %j is %j', (event, text) => {
    expect(formatEvent(event)).toBe(text)
  })

  it('makes each line of the data a field, whatever ends it', () => {
    expect(formatEvent('a\nb\r\nc\rd')).toBe('data: a\ndata: b\ndata: c\ndata: d\n\n')
    expect(formatEvent('a\n')).toBe('data: a\ndata: \n\n')
  })

  it.each([
    [{ event: 'a\nb' }, TypeError, 'event must be a text of one line without NUL, not "a\\nb"'],
    [{ event: 'a\rdata: b' }, TypeError, 'event must be a text of one line'],
    [{ id: '1\n\ndata: b' }, TypeError, 'id must be a text of one line'],
    [{ id: '1\0' }, TypeError, 'id must be a text of one line'],
    [{ id: 7 as unknown as string }, TypeError, 'id must be a text of one line without NUL, not 7'],
    [{ retry: -1 }, RangeError, 'retry must be a whole number of milliseconds, 0 or more, not -1'],
    [{ retry: 1.5 }, RangeError, 'not 1.5'],
    [{ retry: NaN }, RangeError, 'not NaN'],
    [{ data: () => 1 }, TypeError, 'data must be a text or what JSON can hold, not function'],
    [{ data: 1n }, TypeError, 'BigInt'],
  ])('refuses %o', (event, type, words) => {
    expect(() => formatEvent(event as ServerSentEvent)).toThrow(type)
    expect(() => formatEvent(event as ServerSentEvent)).toThrow(words)
  })

  it('is read as exactly that event, by the rules of a page', () => {
    const line = fc.string({ unit: 'grapheme' }).filter((text) => !/[\r\n\0]/.test(text))
    const event = fc.record(
      { data: fc.string(), event: line, id: line, comment: fc.string(), retry: fc.nat() },
      { requiredKeys: ['data'] },
    )
    const property = fc.property(fc.array(event, { maxLength: 5 }), (events) => {
      const text = events.map((one) => formatEvent(one)).join(HEARTBEAT)
      let lastId = ''
      const expected = events.map(({ data, event: name = '', id = lastId }) => {
        lastId = id
        return { data: data.replaceAll(/\r\n?/g, '\n'), type: name === '' ? 'message' : name, id }
      })
      expect(parse(text)).toEqual(expected)
    })
    fc.assert(property, { numRuns: 300 })
  })
})

/** The parser of the standard, short. */
function parse(text: string): { data: string; type: string; id: string }[] {
  const events: { data: string; type: string; id: string }[] = []
  let data: string[] = []
  let type = ''
  let id = ''
  for (const line of text.split(/\r\n|\r|\n/)) {
    if (line === '') {
      if (data.length > 0) {
        events.push({ data: data.join('\n'), type: type === '' ? 'message' : type, id })
      }
      data = []
      type = ''
      continue
    }
    const [, name, value = ''] = /^([^:]*)(?:: ?(.*))?$/su.exec(line) ?? []
    if (name === 'data') data.push(value)
    else if (name === 'event') type = value
    else if (name === 'id' && !value.includes('\0')) id = value
  }
  return events
}
