/** The page names everything that one brings from asyncio, names nothing that is not there, and links to what shows it. */
import { existsSync, readFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import * as concurrency from '../../src/concurrency/index.js'
import * as streams from '../../src/index.js'
import * as httpMini from '../../src/http-mini/index.js'
import { IncomingRequest } from '../../src/http-mini/incoming-request.js'
import * as observe from '../../src/observe/index.js'
import { Server } from '../../src/server/start-server.js'
import { connectionPair } from '../../src/testing/connection-pair.js'
import { examplesOf } from '../support/examples.js'

const ENTRIES = { ...streams, ...concurrency, ...observe, ...httpMini }

const PAGE = new URL('../../docs/coming-from-asyncio.md', import.meta.url)
const page = readFileSync(PAGE, 'utf8')

interface Row {
  readonly asyncio: string
  readonly here: string
  readonly language: string
  readonly differs: string
  readonly example: string
}

/** The rows of the tables that put names beside each other. */
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('|'))
  .map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()))
  .filter((cells) => cells.length === 7)
  .map(([, asyncio = '', here = '', language = '', differs = '', example = '']) => {
    return { asyncio, here, language, differs, example } satisfies Row
  })
  .filter(({ asyncio }) => asyncio !== 'asyncio' && !/^-+$/.test(asyncio))

/** What CPython documents as public of the streams, and what the tutorial and its readers use besides. */
const NAMES: Readonly<Record<string, string>> = {
  functions: 'open_connection|start_server|open_unix_connection|start_unix_server',
  running:
    'asyncio.run(|async def|asyncio.sleep(|asyncio.create_task(|get_event_loop()|loop.time()|run_until_complete(|' +
    'new_event_loop()|set_event_loop()|run_forever()|run_coroutine_threadsafe(|call_soon_threadsafe(|threading.Thread|' +
    'set_debug(|python -X dev|set_event_loop_policy()|DefaultEventLoopPolicy',
  'tasks and time':
    'asyncio.gather(|return_exceptions=True|asyncio.wait(|FIRST_COMPLETED|FIRST_EXCEPTION|timeout=5|as_completed(|' +
    'wait_for(|asyncio.timeout(|asyncio.TimeoutError|.cancel()|CancelledError|shield(|TaskGroup|asyncio.Task|' +
    'future.result()',
  'locks and queues':
    'Semaphore(|Lock()|Event()|Condition()|Queue(|LifoQueue|PriorityQueue|queue.put(|queue.get(|put_nowait(|' +
    'get_nowait(|task_done()|queue.join()|queue.shutdown()',
  'blocks and loops':
    'async with|async for|__aenter__|__aexit__|__aiter__|__anext__|StopAsyncIteration|asynccontextmanager|AsyncExitStack|' +
    'async generator',
  'other packages':
    'aiofiles.open()|aiohttp.ClientSession()|response.text()|run_in_executor(|to_thread(|psutil|gc.collect()|functools.wraps()',
  StreamReader:
    'reader.read(|reader.readline(|reader.readexactly(|reader.readuntil(|reader.at_eof(|reader.exception(|' +
    'reader.feed_data(|reader.feed_eof(|reader.set_exception(|reader.set_transport(|async for line in reader',
  StreamWriter:
    'writer.write(|writer.writelines(|writer.drain(|writer.can_write_eof(|writer.write_eof(|writer.close(|' +
    'writer.wait_closed(|writer.is_closing(|writer.get_extra_info(|writer.start_tls(|writer.transport',
  Server:
    'server.close()|server.wait_closed(|server.close_clients(|server.abort_clients(|server.serve_forever(|' +
    'server.start_serving(|server.is_serving(|server.sockets|getsockname()|server.get_loop(|async with server',
}

/** What the page calls its objects. */
async function objectsOfThePage(): Promise<Readonly<Record<string, object>>> {
  let group: object = {}
  await concurrency.taskGroup((given) => {
    group = given
  })
  await using pair = connectionPair()
  const connection = pair.client
  return {
    group,
    connection,
    reader: connection.reader,
    writer: connection.writer,
    server: Server.prototype,
    semaphore: new concurrency.Semaphore(1),
    mutex: new concurrency.Mutex(),
    event: new concurrency.Event(),
    condition: new concurrency.Condition(),
    queue: new concurrency.BoundedQueue({ maxSize: 1 }),
    pool: new concurrency.TaskPool({ limit: 1 }),
    service: new concurrency.QueueService({ maxSize: 1, process: () => {} }),
    loop: concurrency.WorkerLoop.prototype,
    worker: Worker.prototype,
    broadcaster: new concurrency.Broadcaster(),
    profiler: new observe.Profiler(),
    // Of the language.
    controller: new AbortController(),
    signal: new AbortController().signal,
    promise: Promise.resolve(),
    performance,
    process,
    error: new Error('for its members'),
    response: new Response(),
    // `path` and the like are accessors of what the connection makes.
    request: IncomingRequest.prototype,
  }
}

/** The pieces of code in a cell. */
function codeOf(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code)
}

/** Names of the page's own in its code: what the reader's program has. */
const PLACEHOLDERS = new Set(['fn', 'compare', 'handler', 'body', 'main', 'a', 'b', 'gc'])

/** What code calls, makes or names with a capital, members left out: `startServer`, `Semaphore`. */
function namesIn(code: string): string[] {
  const text = code.replaceAll(/'[^']*'/g, '')
  const called = [...text.matchAll(/(?<![.\w])([a-z]\w*)\(/g)]
  const capitalised = [...text.matchAll(/(?<![.\w])([A-Z]\w*[a-z]\w*)/g)]
  return [...called, ...capitalised]
    .map(([, name = '']) => name)
    .filter((name) => !PLACEHOLDERS.has(name))
}

/** `reader.readLine` as an object and a member. */
function membersIn(code: string): [object: string, member: string][] {
  return [...code.matchAll(/(?<![.\w'])([a-zA-Z]\w*)\.([a-zA-Z]\w*)/g)].map(
    ([, object = '', member = '']) => [object, member],
  )
}

/** Everything that the language gives without an import, and what the page imports from Node's modules. */
async function languageNames(cell: string): Promise<Set<string>> {
  const modules = codeOf(cell).filter((code) => code.startsWith('node:'))
  const exported = await Promise.all(modules.map((name) => import(name) as Promise<object>))
  return new Set([
    ...Object.getOwnPropertyNames(globalThis),
    // Node 20 and 22 have it not; the page says so.
    'AsyncDisposableStack',
    ...exported.flatMap((module) => Object.keys(module)),
  ])
}

describe('docs/coming-from-asyncio.md', () => {
  test('has its tables', () => {
    expect(rows.length).toBeGreaterThan(90)
  })

  test.each(Object.entries(NAMES))('has a row for every name of %s', (_room, names) => {
    const missing = names
      .split('|')
      .filter((name) => !rows.some((row) => row.asyncio.includes(name)))
    expect(missing).toEqual([])
  })

  test('has something beside each name: ours, or that of the language, or why there is none', () => {
    const empty = rows.filter(({ here, language, differs }) =>
      [here, language, differs].every((cell) => cell === '–'),
    )
    expect(empty).toEqual([])
  })

  test('names of ours only what there is', () => {
    const named = rows.flatMap(({ here }) => codeOf(here).flatMap(namesIn))
    expect(named.length).toBeGreaterThan(40)
    expect(named.filter((name) => !(name in ENTRIES))).toEqual([])
  })

  test('says of which entry a name is, where it is of neither of the two', () => {
    const unsaid = rows.filter(({ here }) => {
      const names = codeOf(here).flatMap(namesIn)
      const isElsewhere = names.some((name) => !(name in streams) && !(name in concurrency))
      return isElsewhere && !here.includes('standpipe/')
    })
    expect(unsaid).toEqual([])
  })

  test('names only members that are there', async () => {
    const objects = await objectsOfThePage()
    const classes = [ENTRIES, globalThis] as unknown as Record<string, unknown>[]
    const named = rows.flatMap(({ here, language }) =>
      [here, language].flatMap(codeOf).flatMap(membersIn),
    )
    expect(named.length).toBeGreaterThan(50)
    const absent = named.filter(([object, member]) => {
      const found = [objects, ...classes].find((names) => object in names)?.[object]
      return !(found instanceof Object) || !(member in found)
    })
    expect(absent).toEqual([])
  })

  test('names of the language only what there is', async () => {
    const absent: string[] = []
    for (const { language } of rows) {
      const known = await languageNames(language)
      absent.push(
        ...codeOf(language)
          .flatMap(namesIn)
          .filter((name) => !known.has(name)),
      )
    }
    expect(absent).toEqual([])
  })

  test('links each row to an example, and every link leads to a file', () => {
    expect(rows.filter(({ example }) => !example.includes('](../examples/'))).toEqual([])
    const links = [...page.matchAll(/\]\(([^)#]+)/g)].map(([, link = '']) => link)
    expect(links.length).toBeGreaterThan(rows.length)
    expect(links.filter((link) => !existsSync(new URL(link, PAGE)))).toEqual([])
  })

  test('shows every example of the tutorial somewhere', () => {
    const unlinked = examplesOf('asyncio-tutorial').filter(
      ({ name }) => !page.includes(`${name}.ts)`),
    )
    expect(unlinked.map(({ name }) => name)).toEqual([])
  })
})
