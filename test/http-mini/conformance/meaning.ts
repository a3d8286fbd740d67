/** What the model of the RFC has to say against what came of some bytes. */
import type { ModelRequest, Reading } from '../../support/http-model.js'
import { parseReplies } from '../../support/http-replies.js'
import type { Exchange } from './exchange.js'
import type { SeenRequest } from './probe.js'

/**
 * The faults of an exchange, each in words: none where the application has seen the requests that the model finds, each was
 * answered once and in order, and the connection went on or ended as the model has it.
 *
 * @throws MalformedReply for answers that are none
 */
export function compareWithModel(
  { requests, next }: Reading,
  { seen, bytes, left }: Exchange,
): string[] {
  const { replies, rest } = parseReplies(bytes, seen, left !== 'open')
  const statuses = replies.map(({ status }) => status)
  // The last request may wait for its body, or be answered with a refusal of it.
  const whole = requests.filter(({ body }) => body !== undefined).length
  const refusals = statuses.slice(whole)
  const ending = `${refusals.length} refusals, ${left}`
  const isSame = JSON.stringify(seen.map(ofSeen)) === JSON.stringify(requests.map(ofModel))
  return [
    isSame ? '' : `seen was ${JSON.stringify(seen)}, and there is ${JSON.stringify(requests)}`,
    statuses.slice(0, whole).every((status) => status === 200)
      ? ''
      : `answered ${statuses.join(', ')}`,
    statuses.length >= whole ? '' : `${whole} requests, answered ${statuses.join(', ')}`,
    refusals.every((status) => status >= 400) ? '' : `refused with ${refusals.join(', ')}`,
    ENDINGS[next].includes(ending) ? '' : `${ending}, where it ${next}`,
    rest.length === 0 ? '' : `half an answer: ${rest.toString('latin1')}`,
  ].filter((fault) => fault !== '')
}

const ENDINGS: Readonly<Record<Reading['next'], readonly string[]>> = {
  waits: ['0 refusals, open'],
  ends: ['0 refusals, closed'],
  refuses: ['1 refusals, closed'],
  either: ['0 refusals, open', '1 refusals, closed'],
}

type Same = Pick<ModelRequest, 'method' | 'path' | 'query' | 'version' | 'host' | 'body'>

function ofModel({ method, path, query, version, host, body }: ModelRequest): Same {
  return { method, path, query, version, host, body }
}

function ofSeen({ method, path, query, version, host, body }: SeenRequest): Same {
  return { method, path, query, version: version as Same['version'], host, body }
}
