/** 2 GiB through the server: every byte arrives, and its memory does not grow with them. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { open } from 'node:fs/promises'
import http from 'node:http'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text as textOf } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { startHttpProcess } from '../support/http-process.js'
import { temporaryFolder } from '../support/wire.js'

guardAgainstLeaks()

const MIB = 1024 * 1024
const SIZE = 2048 * MIB
const MAX_GROWTH = 64 * MIB

/** Where the file is no hole: its ends, its middle, and somewhere else. */
const islands = [0, 123_456_789, SIZE / 2 - 50_000, SIZE - 100_000].map((at) => ({
  at,
  bytes: randomBytes(100_000),
}))
const HOLE = Buffer.alloc(MIB)

async function writeSparse(path: string): Promise<void> {
  const handle = await open(path, 'w')
  for (const { at, bytes } of islands) await handle.write(bytes, 0, bytes.length, at)
  await handle.truncate(SIZE)
  await handle.close()
}

/** What the file has from `start` on. */
function expectedAt(start: number, length: number): Buffer {
  const near = islands.filter(({ at, bytes }) => at < start + length && at + bytes.length > start)
  if (near.length === 0) return HOLE.subarray(0, length)
  const expected = Buffer.alloc(length)
  for (const { at, bytes } of near) {
    bytes.copy(expected, Math.max(at - start, 0), Math.max(start - at, 0))
  }
  return expected
}

/** How many octets came, each compared with the file's from `start` on. */
async function compareWithFile(arriving: Readable, start: number): Promise<number> {
  let at = start
  for await (const chunk of arriving as AsyncIterable<Buffer>) {
    if (!chunk.equals(expectedAt(at, chunk.length))) throw new Error(`another octet behind ${at}`)
    at += chunk.length
  }
  return at - start
}

async function get(port: number, path: string, headers = {}): Promise<http.IncomingMessage> {
  const request = http.get({ port, host: '127.0.0.1', path, agent: false, headers })
  const [answer] = (await once(request, 'response')) as [http.IncomingMessage]
  return answer
}

test('A file of 2 GiB arrives octet for octet, and the server grows by less than 64 MiB', async () => {
  const path = join(await temporaryFolder(), 'document')
  await writeSparse(path)
  const { port, status } = await startHttpProcess(path)
  expect(await textOf(await get(port, '/'))).toBe('hello')
  const before = await status()

  const answer = await get(port, '/document')
  expect(answer.headers['content-length']).toBe(String(SIZE))
  expect(await compareWithFile(answer, 0)).toBe(SIZE)
  const after = await status()
  expect(after.mostRss - before.rss).toBeLessThan(MAX_GROWTH)
}, 120_000)

test('The last octets of a file of 2 GiB are had by their range', async () => {
  const path = join(await temporaryFolder(), 'document')
  await writeSparse(path)
  const { port } = await startHttpProcess(path)
  const start = SIZE - 150_000
  const answer = await get(port, '/document', { Range: `bytes=${start}-` })
  expect([answer.statusCode, answer.headers['content-range']]).toEqual([
    206,
    `bytes ${start}-${SIZE - 1}/${SIZE}`,
  ])
  expect(await compareWithFile(answer, start)).toBe(150_000)
})
