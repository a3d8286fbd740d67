/** From what came over the wire to what a case says must come. */
import { fieldOf, parseReplies, type HttpReply } from '../../support/http-replies.js'
import type { Exchange } from './exchange.js'
import type { HttpCase } from './http-case.js'
import { describeSeen } from './probe.js'

/**
 * What an exchange differs in from its case, in words; undefined where it does not. `how` says how the bytes were cut.
 */
export function differenceOf(one: HttpCase, got: Exchange, how: string): string | undefined {
  const { replies, rest } = parseReplies(got.bytes, got.seen, got.left !== 'open')
  // What is left of an answer that was cut on purpose is the client's proof that it was.
  const isCut = one.replies.length < one.seen.length && one.left === 'closed'
  const outcome = {
    seen: got.seen.map(describeSeen),
    replies: replies.map(({ status }) => status),
    left: got.left,
    rest: isCut ? '' : rest.toString('latin1'),
  }
  const expected = { seen: one.seen, replies: one.replies, left: one.left, rest: '' }
  const what = different(outcome, expected) ?? answersDiffer(one, got, replies)
  return what === undefined ? undefined : `${how}: ${what}`
}

function different(got: unknown, expected: unknown): string | undefined {
  const texts = [JSON.stringify(got), JSON.stringify(expected)]
  return texts[0] === texts[1] ? undefined : `${texts[0]} and not ${texts[1]}`
}

function answersDiffer(
  one: HttpCase,
  got: Exchange,
  replies: readonly HttpReply[],
): string | undefined {
  const last = replies.at(-1)
  if (last === undefined) return undefined
  if (got.bytes.includes('secret')) return 'the message of an error that is the server’s own'
  for (const [i, reply] of replies.entries()) {
    const seen = got.seen[i]
    if (reply.status !== 200 || seen === undefined || !isEchoed(seen)) continue
    const difference = different(reply.body.toString('latin1'), describeSeen(seen))
    if (difference !== undefined) return difference
  }
  // Whoever is refused is told that nothing more is read (RFC 9112 9.6).
  const isRefused = last.status >= 400 && got.left === 'closed'
  const expected = {
    ...(isRefused ? { connection: 'close' } : {}),
    ...one.lastFields,
    ...(one.lastBody === undefined ? {} : { body: one.lastBody }),
  }
  const names = Object.keys(expected).filter((name) => name !== 'body')
  const found = {
    ...Object.fromEntries(names.map((name) => [name, fieldOf(last, name)])),
    ...(one.lastBody === undefined ? {} : { body: last.body.toString('latin1') }),
  }
  return different(found, expected)
}

/** Paths of the probe that answer with something else than what they have seen. */
const OTHERS = new Set([
  '/host',
  '/unread',
  '/early',
  '/patient',
  '/slow',
  '/stream',
  '/empty-stream',
  '/close',
  '/long',
])

function isEchoed({ method, path }: { method: string; path: string }): boolean {
  return method !== 'HEAD' && !OTHERS.has(path)
}
