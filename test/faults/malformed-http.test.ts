/** Bytes that are no HTTP, or no HTTP that can be trusted: each has its answer, and the connection ends with it. */
import { expect } from 'vitest'
import { httpHandler, Router } from '../../src/http-mini/index.js'
import { eventually } from '../support/eventually.js'
import { fault, type FaultScene } from '../support/fault.js'
import { parseReplies, type HttpReply } from '../support/http-replies.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { dial, receiveAll, send } from '../support/wire.js'

guardAgainstLeaks()

const HOST = 'Host: example.test\r\n'

function request(fields: string, target = '/', method = 'GET', version = 'HTTP/1.1'): string {
  return `${method} ${target} ${version}\r\n${HOST}${fields}\r\n`
}

const MALFORMED: readonly (readonly [what: string, bytes: string, status: number])[] = [
  ['lines that end in LF alone', 'GET / HTTP/1.1\nHost: example.test\n\n', 400],
  ['a lone CR in a value', request('X: a\rb\r\n'), 400],
  ['NUL in a value', request('X: a\0b\r\n'), 400],
  ['a folded field', request('X: a\r\n b\r\n'), 400],
  ['a space before the colon', request('X : a\r\n'), 400],
  ['a length and a coding', request('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n'), 400],
  ['two lengths', request('Content-Length: 5\r\nContent-Length: 5\r\n'), 400],
  ['two lengths in one field', request('Content-Length: 5, 6\r\n'), 400],
  ['a negative length', request('Content-Length: -1\r\n', '/', 'POST'), 400],
  ['a length in hexadecimal', request('Content-Length: 0x10\r\n', '/', 'POST'), 400],
  ['a length of 20 digits', request(`Content-Length: ${'9'.repeat(20)}\r\n`, '/', 'POST'), 413],
  ['a length beyond the limit', request('Content-Length: 99999999999\r\n', '/', 'POST'), 413],
  ['a coding that nobody knows', request('Transfer-Encoding: x, chunked\r\n', '/', 'POST'), 501],
  ['a chunk of no size', `${request('Transfer-Encoding: chunked\r\n', '/', 'POST')}z\r\n`, 400],
  ['101 fields', request('X: y\r\n'.repeat(100)), 431],
  ['a head of 17 KiB', request(`X: ${'y'.repeat(17 * 1024)}\r\n`), 431],
  ['a target of 9 KiB', request('', `/${'t'.repeat(9 * 1024)}`), 414],
  ['HTTP/0.9', 'GET /\r\n', 400],
  ['HTTP/2.0', request('', '/', 'GET', 'HTTP/2.0'), 505],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400],
  ['two Hosts', request(HOST), 400],
  ['random bytes', '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n', 400],
]

interface Spoken {
  readonly replies: readonly HttpReply[]
  readonly end: string
}

async function startServer({ serve }: FaultScene, ran: string[]) {
  const router = new Router()
  router.get('/', ({ path }) => {
    ran.push(`GET ${path}`)
    return 'hello\n'
  })
  router.post('/', async (incoming) => {
    const body = await incoming.text()
    ran.push(`POST ${body}`)
    return body
  })
  return await serve(httpHandler(router))
}

/** Says these bytes, without an end, and reads what comes until the server ends. */
async function converse(
  address: Parameters<typeof dial>[0],
  bytes: string,
  options: { halfClose: boolean },
): Promise<Spoken> {
  const client = dial(address)
  const received = receiveAll(client)
  await send(client, Buffer.from(bytes, 'latin1'))
  if (options.halfClose) client.end()
  const { bytes: reply, end } = await received
  client.end()
  const asked = [{ method: 'GET', version: 'HTTP/1.1' }]
  return { replies: parseReplies(reply, asked, true).replies, end }
}

for (const [what, bytes, status] of MALFORMED) {
  fault(
    'F62',
    `${what} is answered with ${status}, the connection is closed, and nothing is run`,
    async (scene) => {
      const ran: string[] = []
      const server = await startServer(scene, ran)
      const { replies, end } = await converse(server.address, bytes, { halfClose: false })
      expect(replies.map((reply) => reply.status)).toEqual([status])
      expect(end).toBe('end')
      expect(ran).toEqual([])
      await eventually(() => server.stats.open === 0)
    },
  )
}

fault(
  'F62',
  'an end in the middle of a head, for each place, is no request, and no hang',
  async (scene) => {
    const ran: string[] = []
    const server = await startServer(scene, ran)
    const whole = request('X: y\r\n')
    for (let at = 0; at < whole.length; at++) {
      const { replies, end } = await converse(server.address, whole.slice(0, at), {
        halfClose: true,
      })
      expect(replies.map(({ status }) => status)).toEqual(at === 0 ? [] : [400])
      expect(end).toBe('end')
    }
    expect(ran).toEqual([])
    await eventually(() => server.stats.open === 0)
    scene.figure('ends tried', whole.length)
  },
)

fault('F62', 'a method that nobody knows is answered with 501', async (scene) => {
  const ran: string[] = []
  const server = await startServer(scene, ran)
  const brew = request('', '/', 'BREW')
  const { replies, end } = await converse(server.address, brew, { halfClose: true })
  expect(replies.map(({ status }) => status)).toEqual([501])
  expect(end).toBe('end')
  expect(ran).toEqual([])
  await eventually(() => server.stats.open === 0)
})

fault(
  'F62',
  'of a pipelined pair the good one is answered, and the bad one behind it is not run',
  async (scene) => {
    const ran: string[] = []
    const server = await startServer(scene, ran)
    const pair = await converse(server.address, request('') + request('X : y\r\n'), {
      halfClose: false,
    })
    expect(pair.replies.map(({ status }) => status)).toEqual([200, 400])
    expect(pair.end).toBe('end')
    const good = await converse(server.address, request('') + request(''), { halfClose: true })
    expect(good.replies.map(({ status }) => status)).toEqual([200, 200])
    expect(ran).toEqual(['GET /', 'GET /', 'GET /'])
  },
)

fault('F62', 'a body that hides a request is read as the body that it is', async (scene) => {
  const ran: string[] = []
  const server = await startServer(scene, ran)
  const hidden = request('')
  const post = request(`Content-Length: ${hidden.length}\r\n`, '/', 'POST') + hidden
  const { replies } = await converse(server.address, post, { halfClose: true })
  expect(replies.map(({ status }) => status)).toEqual([200])
  expect(ran).toEqual([`POST ${hidden}`])
})
