/** The history checker: silent on every history that can be, and loud on each that cannot. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LineClient } from '../../src/client/line-client.js'
import {
  checkHistory,
  HistoryError,
  LineHistory,
  type HistoryEvent,
  type HistoryViolation,
} from '../../src/testing/index.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { portOf, serve } from '../support/serve.js'
import { thrownBy } from '../support/thrown-by.js'

guardAgainstLeaks()

const request = (connection: string, token: string): HistoryEvent => ({
  kind: 'request',
  connection,
  token,
})
const reply = (connection: string, token: string): HistoryEvent => ({
  kind: 'reply',
  connection,
  token,
})
const delivery = (token: string): HistoryEvent => ({ kind: 'delivery', token })
const end = (connection: string, isClean = true): HistoryEvent => ({
  kind: 'end',
  connection,
  isClean,
})

function violationOf(history: readonly HistoryEvent[]): HistoryError {
  const error = thrownBy(() => {
    checkHistory(history)
  })
  expect(error).toBeInstanceOf(HistoryError)
  return error as HistoryError
}

/** A history that a correct server and network may bring about: a random walk of all connections at once. */
const validHistory = fc
  .record({
    connections: fc.integer({ min: 2, max: 4 }),
    steps: fc.array(fc.record({ who: fc.nat(3), what: fc.nat(2) }), {
      minLength: 6,
      maxLength: 80,
    }),
    isClean: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
  })
  .map(({ connections, steps, isClean }) => {
    const history: HistoryEvent[] = []
    const talks = Array.from({ length: connections }, (_, i) => ({
      name: `c${i}`,
      asked: 0,
      delivered: 0,
      answered: 0,
    }))
    const act = (talk: (typeof talks)[number], what: number): void => {
      const { name } = talk
      if (what === 0) history.push(request(name, `${name}-${talk.asked++}`))
      else if (what === 1 && talk.delivered < talk.asked) {
        history.push(delivery(`${name}-${talk.delivered++}`))
      } else if (what === 2 && talk.answered < talk.delivered) {
        history.push(reply(name, `${name}-${talk.answered++}`))
      }
    }
    // Each connection has at least two whole exchanges, so that there is something to break.
    for (const talk of talks) for (const what of [0, 0, 1, 1, 2, 2]) act(talk, what)
    for (const { who, what } of steps) act(talks[who % connections] as (typeof talks)[number], what)
    talks.forEach((talk, i) => {
      if (isClean[i] !== true) return
      while (talk.answered < talk.asked) for (const what of [1, 2]) act(talk, what)
    })
    talks.forEach(({ name }, i) => history.push(end(name, isClean[i] === true)))
    return history
  })

type Mutation = (
  history: readonly HistoryEvent[],
  pick: (count: number) => number,
) => { broken: HistoryEvent[]; violations: HistoryViolation[] }

function indices(history: readonly HistoryEvent[], kind: HistoryEvent['kind']): number[] {
  return history.flatMap((event, i) => (event.kind === kind ? [i] : []))
}

function splice(
  history: readonly HistoryEvent[],
  at: number,
  count: number,
  ...added: HistoryEvent[]
): HistoryEvent[] {
  return history.toSpliced(at, count, ...added)
}

/** Every way in which a server or network may be wrong. */
const mutations: Record<string, Mutation> = {
  'a reply twice': (history, pick) => {
    const replies = indices(history, 'reply')
    const at = replies[pick(replies.length)] as number
    return {
      broken: splice(history, at, 0, history[at] as HistoryEvent),
      violations: ['duplicate-reply'],
    }
  },
  'a request carried out twice': (history, pick) => {
    const deliveries = indices(history, 'delivery')
    const at = deliveries[pick(deliveries.length)] as number
    return {
      broken: splice(history, at, 0, history[at] as HistoryEvent),
      violations: ['duplicate-delivery'],
    }
  },
  'a reply that nobody asked for': (history, pick) => ({
    broken: splice(history, pick(history.length - 4), 0, reply('c0', 'made up')),
    violations: ['unknown-reply'],
  }),
  'a request that nobody made': (history, pick) => ({
    broken: splice(history, pick(history.length - 4), 0, delivery('made up')),
    violations: ['unknown-delivery'],
  }),
  'a reply to another connection': (history, pick) => {
    const replies = indices(history, 'reply')
    const at = replies[pick(replies.length)] as number
    const { connection, token } = history[at] as { connection: string; token: string }
    const other = connection === 'c0' ? 'c1' : 'c0'
    return { broken: splice(history, at, 1, reply(other, token)), violations: ['cross-talk'] }
  },
  'two replies in the wrong order': (history, pick) => {
    const connection = `c${pick(2)}`
    const replies = indices(history, 'reply').filter(
      (i) => (history[i] as { connection: string }).connection === connection,
    )
    const nth = pick(replies.length - 1)
    const [first, second] = [replies[nth] as number, replies[nth + 1] as number]
    const broken = [...history]
    broken[first] = history[second] as HistoryEvent
    broken[second] = history[first] as HistoryEvent
    // Where the later one had not been asked by then, that is what is seen first.
    return { broken, violations: ['reply-out-of-order', 'unknown-reply'] }
  },
  'a reply left out': (history, pick) => {
    const clean = new Set(
      history.flatMap((event) => (event.kind === 'end' && event.isClean ? [event.connection] : [])),
    )
    const replies = indices(history, 'reply')
    const at = replies[pick(replies.length)] as number
    const { connection } = history[at] as { connection: string }
    const isLast = !replies.some(
      (i) => i > at && (history[i] as { connection: string }).connection === connection,
    )
    if (isLast && !clean.has(connection)) return { broken: [], violations: [] }
    return { broken: splice(history, at, 1), violations: ['reply-out-of-order', 'unanswered'] }
  },
  'a reply to what was not carried out': (history, pick) => {
    const deliveries = indices(history, 'delivery')
    const at = deliveries[pick(deliveries.length)] as number
    const { token } = history[at] as { token: string }
    const hasReply = history.some((event) => event.kind === 'reply' && event.token === token)
    if (!hasReply) return { broken: [], violations: [] }
    return {
      broken: splice(history, at, 1),
      violations: ['acknowledged-undelivered', 'delivery-out-of-order'],
    }
  },
}

describe('checkHistory()', () => {
  test('takes every history that a correct server may bring about', () => {
    fc.assert(
      fc.property(validHistory, (history) => {
        expect(() => {
          checkHistory(history)
        }).not.toThrow()
      }),
    )
  })

  test('takes the same without deliveries', () => {
    fc.assert(
      fc.property(validHistory, (history) => {
        expect(() => {
          checkHistory(history.filter(({ kind }) => kind !== 'delivery'))
        }).not.toThrow()
      }),
    )
  })

  test.each(Object.keys(mutations))('reports %s, wherever it is put', (name) => {
    const mutate = mutations[name] as Mutation
    let reported = 0
    fc.assert(
      fc.property(validHistory, fc.infiniteStream(fc.nat()), (history, stream) => {
        const pick = (count: number): number => (stream.next().value as number) % Math.max(1, count)
        const { broken, violations } = mutate(history, pick)
        if (broken.length === 0) return
        reported++
        expect(violations).toContain(violationOf(broken).violation)
      }),
    )
    expect(reported).toBeGreaterThan(20)
  })

  test.each<[HistoryViolation, HistoryEvent[]]>([
    ['token-used-twice', [request('a', '1'), request('b', '1')]],
    ['event-after-end', [end('a'), request('a', '1')]],
    ['unanswered', [request('a', '1'), end('a')]],
    ['unknown-reply', [reply('a', '1'), request('a', '1')]],
    ['delivery-out-of-order', [request('a', '1'), request('a', '2'), delivery('2')]],
    [
      'acknowledged-undelivered',
      [request('a', '1'), request('b', '2'), delivery('2'), reply('a', '1')],
    ],
  ])('calls it %s', (violation, history) => {
    expect(violationOf(history).violation).toBe(violation)
  })

  test('lets a connection that broke, or goes on, leave requests unanswered', () => {
    expect(() => {
      checkHistory([request('a', '1'), end('a', false), request('b', '2')])
    }).not.toThrow()
  })

  test('names the first violation, with what concerns it around it', () => {
    const history = [
      request('a', 'a1'),
      request('b', 'b1'),
      request('a', 'a2'),
      delivery('a1'),
      delivery('b1'),
      delivery('a2'),
      reply('b', 'b1'),
      reply('a', 'a2'),
      reply('a', 'a1'),
    ]
    const error = violationOf(history)
    expect(error).toMatchObject({ violation: 'reply-out-of-order', index: 7, event: history[7] })
    expect(error.message).toBe(
      [
        'event 7: the reply to a1 was to come first (reply-out-of-order)',
        '       0  request   a a1',
        '       2  request   a a2',
        '       3  delivery  a1',
        '       5  delivery  a2',
        '>      7  reply     a a2',
        '       8  reply     a a1',
      ].join('\n'),
    )
    expect(error.around).toHaveLength(6)
    expect(violationOf([request('a', '1'), end('a')]).message).toContain(
      '>      1  end       a clean',
    )
  })
})

describe('checkHistory() of deliveries', () => {
  const acknowledged = [request('a', '1'), reply('a', '1')]

  test('takes a history without any for one that has none recorded', () => {
    expect(() => {
      checkHistory(acknowledged)
      checkHistory([...acknowledged, end('a')], { deliveries: false })
    }).not.toThrow()
  })

  test('that were recorded finds a server that acknowledges and carries out nothing', () => {
    const error = thrownBy(() => {
      checkHistory(acknowledged, { deliveries: true })
    })
    expect(error).toMatchObject({ violation: 'acknowledged-undelivered', index: 1 })
    const history = new LineHistory({ deliveries: true })
    history.requested('a', '<a.1>')
    history.replied('a', '<a.1>')
    expect(
      thrownBy(() => {
        history.check()
      }),
    ).toMatchObject({ violation: 'acknowledged-undelivered' })
  })
})

test('checkHistory() refuses what is no history', () => {
  expect(() => {
    checkHistory('none' as never)
  }).toThrow('history must be an array of events, not string')
  expect(() => {
    checkHistory([request('a', '1'), { kind: 'respond', connection: 'a', token: '1' } as never])
  }).toThrow('the kind of event 1 must be request, delivery, reply or end, not respond')
})

describe('LineHistory', () => {
  test('records what a client asks and a server answers, and finds them right', async () => {
    const history = new LineHistory()
    const server = await serve(async ({ reader, writer }) => {
      for await (const line of reader.lines()) {
        history.delivered(line)
        writer.write(`you said: ${line}\n`)
        await writer.drain()
      }
    })
    const names = ['one', 'two']
    await Promise.all(
      names.map(async (name) => {
        await using client = await LineClient.open({ port: portOf(server.address) })
        const replies = Array.from({ length: 20 }, () =>
          history.ask(name, (token) => client.request(`hello ${token}`)),
        )
        expect((await Promise.all(replies))[2]).toBe(`you said: hello <${name}.3>`)
        history.ended(name)
      }),
    )
    history.check()
    expect(history.events).toHaveLength(2 * (20 * 3 + 1))
  })

  test('tells when replies are mixed up', async () => {
    const history = new LineHistory()
    const swapped: string[] = ['<a.2>', '<a.1>']
    const ask = () => history.ask('a', () => Promise.resolve(swapped.shift() ?? ''))
    await Promise.all([ask(), ask()])
    expect(
      thrownBy(() => {
        history.check()
      }),
    ).toMatchObject({ violation: 'reply-out-of-order' })
  })

  test('takes tokens of a protocol of its own', () => {
    const history = new LineHistory({ tokenOf: (line) => line.slice(0, 2) })
    history.requested('a', '01')
    history.replied('a', '01 OK')
    history.ended('a', 'broken')
    history.check()
    expect(history.events.at(-1)).toEqual({ kind: 'end', connection: 'a', isClean: false })
  })

  test('takes a line without a token as a whole', () => {
    const history = new LineHistory()
    history.replied('a', 'ERR')
    expect(history.events).toEqual([{ kind: 'reply', connection: 'a', token: 'ERR' }])
  })

  test('refuses a name that would break its tokens', () => {
    expect(() => new LineHistory().nextToken('a\nb')).toThrow(
      'connection must be a name without <, > and line ends, not "a\\nb"',
    )
  })
})
