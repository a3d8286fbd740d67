/**
 * A server made of the model of the RFC: slow, simple, and right by construction. It has no limits of time, refuses
 * everything with 400, and exists so that the checkers can be tried on servers that are broken on purpose.
 */
import type { Handler } from '../../../src/protocol/handler.js'
import { readRequests, type ModelRequest } from '../../support/http-model.js'
import type { SeenRequest } from './probe.js'

/** What a broken server does otherwise. */
export interface Fault {
  /** What it takes the bytes for that have come so far. */
  readonly misreads?: (text: string) => string
  /** What it sends instead of its answers, in the order of the requests, and of its refusal. */
  readonly answers?: (answers: readonly string[], refusal: string | undefined) => readonly string[]
  /** Whether it goes on after a refusal. */
  readonly staysOpen?: boolean
}

const DATE = 'Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n'
const REFUSAL = `HTTP/1.1 400 Bad Request\r\n${DATE}Connection: close\r\nContent-Length: 0\r\n\r\n`

/** Makes the server; `seen` is told what its application sees. */
export function referenceServer(seen: SeenRequest[], fault: Fault = {}): Handler {
  return async ({ reader, writer }) => {
    let text = ''
    let sent = ''
    for (;;) {
      const chunk = await reader.read()
      if (chunk !== null) text += chunk.toString('latin1')
      const ended = chunk === null
      const { requests, next } = readRequests(fault.misreads?.(text) ?? text, { ended })
      seen.splice(0, seen.length, ...requests.map((request) => toSeen(request, next === 'refuses')))
      const whole = requests.filter(({ body }) => body !== undefined)
      const isLast = (i: number): boolean => next === 'ends' && !ended && i === whole.length - 1
      const answers = whole.map((request, i) => answerTo(request, isLast(i)))
      const refusal = next === 'refuses' ? REFUSAL : undefined
      const all = (fault.answers ?? inOrder)(answers, refusal).join('')
      writer.write(Buffer.from(all.slice(sent.length), 'latin1'))
      sent = all
      if (ended || next === 'ends') return
      if (next === 'refuses' && fault.staysOpen !== true) return
    }
  }
}

function inOrder(answers: readonly string[], refusal: string | undefined): readonly string[] {
  return refusal === undefined ? answers : [...answers, refusal]
}

function toSeen(request: ModelRequest, isRefused: boolean): SeenRequest {
  const { method, path, query, version, host, body } = request
  return { method, path, query, version, host, body, hasFailed: body === undefined && isRefused }
}

function answerTo(
  { method, path, query, version, body = '' }: ModelRequest,
  isLast: boolean,
): string {
  const echo = `${method} ${path}${query === '' ? '' : `?${query}`}${body === '' ? '' : ` ${body}`}`
  const kept = version === '1.0' ? 'Connection: keep-alive\r\n' : ''
  const fields = `${DATE}${isLast ? 'Connection: close\r\n' : kept}Content-Length: ${echo.length}\r\n`
  return `HTTP/1.1 200 OK\r\n${fields}\r\n${method === 'HEAD' ? '' : echo}`
}
