/**
 * The files of a folder, by the path of a request.
 *
 * It never leaves the folder, neither by dot segments nor by links, lists no folder, and sends nothing that is hidden
 * unless it is told to: what may not be had is 404, as what is not there.
 */
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describeSystemError } from '../errors.js'
import { chooseCoding } from './accept-encoding.js'
import { sendFile } from './file.js'
import { locate } from './file-location.js'
import { HttpError, type HttpFields } from './http-error.js'
import type { HttpRequest } from './http-request.js'
import { response, type HttpHandler, type HttpResponse } from './http-response.js'
import { mediaTypeOf } from './media-type.js'
import { openFile, type OpenedFile } from './opened-file.js'
import { splitPath } from './path-segments.js'

/** How {@link staticFiles} are sent. */
export interface StaticFilesOptions {
  /** What is sent for a folder; false for nothing. @default 'index.html' */
  index?: string | false | undefined
  /** Whether names that begin with a dot can be had. @default false */
  hidden?: boolean | undefined
  /**
   * Whether `app.js.br` and `app.js.gz`, where they are there, are sent for `app.js` to who takes them. It is not
   * looked at whether they are what they say. @default false
   */
  precompressed?: boolean | undefined
  /** How long a file may be used without asking again; false for no word of it. @default 'no-cache' */
  cacheControl?: string | false | undefined
  /** More fields, or others in place of its own. */
  headers?: HttpFields | undefined
}

const ALLOW = 'GET, HEAD, OPTIONS'
/** The codings that may lie beside a file, the best one first, with the ends of their names. */
const CODINGS = { br: '.br', gzip: '.gz' } as const
type Coding = keyof typeof CODINGS

/**
 * A handler that sends the files of a folder, with ETag and Last-Modified, conditions and ranges as `file()` has them.
 * Its path is the tail of the route, which is the last of its params; without any it is the whole path. A folder is
 * sent to its path with a slash, and there gets its index.
 *
 * ```ts
 * router.get('/assets/*path', staticFiles('./public', { cacheControl: 'max-age=3600' }))
 * ```
 *
 * @throws RangeError unless there is a folder of that name
 */
export function staticFiles(
  folder: string | URL,
  options: StaticFilesOptions = {},
): HttpHandler<object> {
  const root = resolve(typeof folder === 'string' ? folder : fileURLToPath(folder))
  if (statSync(root, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new RangeError(`folder must be one that is there, not ${root}`)
  }
  const site = new Site(root, options)
  return (request) => {
    const { method } = request
    if (method === 'GET' || method === 'HEAD') return site.answer(request)
    if (method !== 'OPTIONS') {
      throw new HttpError(405, `${method} is not for files`, { headers: { Allow: ALLOW } })
    }
    return response(undefined, { status: 204, headers: { Allow: ALLOW } })
  }
}

class Site {
  readonly #root: string
  readonly #options: StaticFilesOptions

  constructor(root: string, options: StaticFilesOptions) {
    this.#root = root
    this.#options = options
  }

  async answer(request: HttpRequest<object>): Promise<HttpResponse> {
    const segments = segmentsFor(request)
    const isFolderWanted = request.path.endsWith('/')
    if (segments.at(-1) === '') segments.pop()
    const opened = await this.#open(segments)
    if (opened === 'folder') return await this.#answerFolder(request, segments, isFolderWanted)
    if (opened === undefined) throw nothingThere()
    if (!isFolderWanted) return await this.#send(request, segments, opened)
    await opened.handle.close()
    throw nothingThere()
  }

  async #answerFolder(
    request: HttpRequest<object>,
    segments: readonly string[],
    isFolderWanted: boolean,
  ): Promise<HttpResponse> {
    const { index = 'index.html' } = this.#options
    const path = index === false ? undefined : [...segments, index]
    const opened = path === undefined ? undefined : await this.#open(path)
    if (path === undefined || opened === undefined || opened === 'folder') throw nothingThere()
    if (isFolderWanted) return await this.#send(request, path, opened)
    await opened.handle.close()
    const query = request.queryString === '' ? '' : `?${request.queryString}`
    return response(undefined, { status: 301, headers: { Location: `${request.path}/${query}` } })
  }

  async #send(
    request: HttpRequest<object>,
    segments: readonly string[],
    opened: OpenedFile,
  ): Promise<HttpResponse> {
    const { precompressed = false, cacheControl, headers } = this.#options
    const contentType = mediaTypeOf(segments.at(-1) ?? '')
    if (!precompressed)
      return await sendFile(opened, { request, contentType, cacheControl, headers })
    const coded = await this.#openCoded(request, segments).catch(async (error: unknown) => {
      await opened.handle.close()
      throw error
    })
    if (coded !== undefined) await opened.handle.close()
    const made = await sendFile(coded?.opened ?? opened, {
      request,
      contentType,
      cacheControl,
      headers,
    })
    if (coded !== undefined && made.status !== 304) {
      made.headers.set('Content-Encoding', coded.coding)
    }
    made.headers.append('Vary', 'Accept-Encoding')
    return made
  }

  /** The best that the client takes of what is there. */
  async #openCoded(
    request: HttpRequest<object>,
    segments: readonly string[],
  ): Promise<{ coding: Coding; opened: OpenedFile } | undefined> {
    const field = request.headers.get('accept-encoding')
    let left = Object.keys(CODINGS) as Coding[]
    for (;;) {
      const coding = chooseCoding(field, left)
      if (coding === undefined) return undefined
      const name = segments.at(-1) ?? ''
      const opened = await this.#open([...segments.slice(0, -1), name + CODINGS[coding]])
      if (opened !== undefined && opened !== 'folder') {
        // A tag is of one representation, and the times of two files may be the same.
        return { coding, opened: { ...opened, etag: opened.etag.replace(/"$/, `-${coding}"`) } }
      }
      left = left.filter((one) => one !== coding)
    }
  }

  async #open(segments: readonly string[]): Promise<OpenedFile | 'folder' | undefined> {
    try {
      const path = await locate(this.#root, segments, this.#options.hidden ?? false)
      return path === undefined ? undefined : await openFile(path)
    } catch (error) {
      const { code } = describeSystemError(error)
      if (code !== 'EACCES' && code !== 'EPERM') throw error
      throw new HttpError(403, 'that may not be read', { cause: error })
    }
  }
}

/** The decoded segments of what is asked for. */
function segmentsFor({ params, path }: HttpRequest<object>): string[] {
  const tail = (Object.values(params ?? {}) as string[]).at(-1)
  if (tail !== undefined) return tail.split('/')
  if (!path.startsWith('/')) throw nothingThere()
  try {
    return splitPath(path)
  } catch (error) {
    throw new HttpError(400, 'the path has an escape that is none', { cause: error })
  }
}

function nothingThere(): HttpError {
  return new HttpError(404, 'there is nothing by that path')
}
