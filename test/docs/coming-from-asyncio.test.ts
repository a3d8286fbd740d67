import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { StreamReader } from '../../src/protocol/stream-reader.js'
import { StreamWriter } from '../../src/protocol/stream-writer.js'
import { Connection } from '../../src/protocol/connection.js'
import { Server } from '../../src/server/start-server.js'

const page = readFileSync(new URL('../../docs/coming-from-asyncio.md', import.meta.url), 'utf8')
const rows = page.split('\n').filter((line) => line.startsWith('|'))

/** What CPython documents as public, and what the tutorial of TCP calls. */
const PUBLIC_NAMES: Readonly<Record<string, string>> = {
  functions: 'open_connection|start_server|open_unix_connection|start_unix_server',
  'the tutorial': 'asyncio.run(|asyncio.sleep(|asyncio.gather(|getsockname()|peername|async with',
  StreamReader:
    'reader.read(|reader.readline(|reader.readexactly(|reader.readuntil(|reader.at_eof(|reader.exception(|' +
    'reader.feed_data(|reader.feed_eof(|reader.set_exception(|reader.set_transport(|async for line in reader',
  StreamWriter:
    'writer.write(|writer.writelines(|writer.drain(|writer.can_write_eof(|writer.write_eof(|writer.close(|' +
    'writer.wait_closed(|writer.is_closing(|writer.get_extra_info(|writer.start_tls(|writer.transport',
  Server:
    'server.close()|server.wait_closed(|server.close_clients(|server.abort_clients(|server.serve_forever(|' +
    'server.start_serving(|server.is_serving(|server.sockets|server.get_loop(|async with server',
}

describe('docs/coming-from-asyncio.md', () => {
  test.each(Object.entries(PUBLIC_NAMES))('has a row for every name of %s', (_room, names) => {
    const missing = names.split('|').filter((name) => !rows.some((row) => row.includes(name)))
    expect(missing).toEqual([])
  })

  test('names only members that are there', () => {
    const classes = {
      reader: StreamReader,
      writer: StreamWriter,
      connection: Connection,
      server: Server,
    }
    const named = rows.flatMap((row) => [
      ...(row.split('|')[2] ?? '').matchAll(/\b(reader|writer|connection|server)\.(\w+)/g),
    ])
    expect(named.length).toBeGreaterThan(20)
    const absent = named
      .map(([, object = '', member = '']) => ({ object, member }))
      .filter(
        ({ object, member }) => !(member in classes[object as keyof typeof classes].prototype),
      )
      // Fields of an instance.
      .filter(({ object, member }) => !['writer.canWriteEof'].includes(`${object}.${member}`))
    expect(absent).toEqual([])
  })
})
