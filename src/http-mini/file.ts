/**
 * A file as a response: whole or in parts, or the news that the client has it already. It decides which bytes; they
 * are read by {@link FileBody}, as the peer takes them.
 *
 * Invariant: the file that it has opened is closed again when it gives the response.
 */
import { randomBytes } from 'node:crypto'
import { realpath } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describeRange, describeUnsatisfiable, selectRanges, type ByteRange } from './byte-range.js'
import { checkPreconditions, holdsIfRange } from './conditional.js'
import { withDefaults } from './default-fields.js'
import { BLOCK_BYTES, FileBody, type BodyPart } from './file-body.js'
import { isNothingThere } from './file-location.js'
import { formatHttpDate } from './http-date.js'
import { HttpError, type HttpFields } from './http-error.js'
import type { HttpRequest } from './http-request.js'
import { response, type HttpResponse } from './http-response.js'
import { mediaTypeOf } from './media-type.js'
import { openFile, type OpenedFile } from './opened-file.js'

/** How a {@link file} is sent. */
export interface FileOptions {
  /** Whose conditions and ranges count. @default none: the whole file is sent */
  request?: HttpRequest<object> | undefined
  /** What it is. @default by the end of its name */
  contentType?: string | undefined
  /** How long it may be used without asking again; false for no word of it. @default 'no-cache' */
  cacheControl?: string | false | undefined
  /** More fields, or others in place of its own. */
  headers?: HttpFields | undefined
}

/**
 * A response with a file: with its type, its length and its validators, so that a client that has it gets 304, and one
 * that has lost its connection gets the rest. A file of any size takes the memory of a block of 64 KiB.
 *
 * The path is the program's own: links are followed, wherever they lead. For a path that a client has sent there is
 * `staticFiles()`, which knows what must not be reached.
 *
 * ```ts
 * router.get('/report', (request) => file('/srv/report.pdf', { request }))
 * ```
 *
 * @throws HttpError 404 when there is no such file, 412 when a condition does not hold, 416 when no range has a byte
 * @throws the error of the file system when it cannot be read, such as EACCES
 */
export async function file(path: string | URL, options: FileOptions = {}): Promise<HttpResponse> {
  const name = typeof path === 'string' ? path : fileURLToPath(path)
  const real = await realpath(name).catch((error: unknown) => {
    if (!isNothingThere(error)) throw error
  })
  const opened = real === undefined ? undefined : await openFile(real)
  if (opened === undefined || opened === 'folder') {
    throw new HttpError(404, 'there is nothing by that path')
  }
  return await sendFile(opened, { contentType: mediaTypeOf(name), ...options })
}

/** The response with a file that is open; closes it. @throws HttpError 412, 416 */
export async function sendFile(opened: OpenedFile, options: FileOptions): Promise<HttpResponse> {
  try {
    return await respond(opened, options)
  } finally {
    await opened.handle.close()
  }
}

async function respond(opened: OpenedFile, options: FileOptions): Promise<HttpResponse> {
  const { request, contentType = 'application/octet-stream', cacheControl = 'no-cache' } = options
  const make = (
    status: number,
    body: FileBody | Uint8Array | undefined,
    fields: Readonly<Record<string, string>>,
  ): HttpResponse =>
    withDefaults(response(body, { status, headers: options.headers }), {
      ...fields,
      ETag: opened.etag,
      ...(cacheControl === false ? {} : { 'Cache-Control': cacheControl }),
    })

  if (request !== undefined) {
    const result = checkPreconditions(request, opened)
    if (result === 'not-modified') return make(304, undefined, {})
    if (result === 'precondition-failed') throw new HttpError(412, 'a condition does not hold')
  }
  const fields = {
    'Content-Type': contentType,
    'Last-Modified': formatHttpDate(opened.lastModifiedMs),
    'Accept-Ranges': 'bytes',
    'X-Content-Type-Options': 'nosniff',
  }
  const ranges = request === undefined ? 'whole' : rangesFor(request, opened)
  if (ranges === 'unsatisfiable') {
    const headers = { 'Content-Range': describeUnsatisfiable(opened.size) }
    throw new HttpError(416, 'the file has no such bytes', { headers })
  }
  if (ranges === 'whole') {
    return make(200, await bodyOf(opened, { start: 0, end: opened.size }, request), fields)
  }
  const [first] = ranges
  if (ranges.length === 1 && first !== undefined) {
    const range = { 'Content-Range': describeRange(first, opened.size) }
    return make(206, await bodyOf(opened, first, request), { ...fields, ...range })
  }
  const boundary = `standpipe-${randomBytes(12).toString('hex')}`
  const body = new FileBody(opened, toParts(ranges, opened.size, contentType, boundary))
  const type = { 'Content-Type': `multipart/byteranges; boundary=${boundary}` }
  return make(206, body, { ...fields, ...type })
}

/** Ranges are for GET alone (RFC 9110, section 14.2). */
function rangesFor(
  { method, headers }: HttpRequest<object>,
  opened: OpenedFile,
): ReturnType<typeof selectRanges> {
  const field = method === 'GET' ? headers.get('range') : undefined
  if (field === undefined || !holdsIfRange(headers, opened)) return 'whole'
  return selectRanges(field, opened.size)
}

/** What is short is read now, while the file is open, and leaves with the head. */
async function bodyOf(
  opened: OpenedFile,
  range: ByteRange,
  request: HttpRequest<object> | undefined,
): Promise<FileBody | Uint8Array> {
  const body = new FileBody(opened, [range])
  if (body.length > BLOCK_BYTES || request?.method === 'HEAD') return body
  const bytes = Buffer.allocUnsafeSlow(body.length)
  const { bytesRead } = await opened.handle.read(bytes, 0, body.length, range.start)
  if (bytesRead === body.length) return bytes
  throw new Error(`send ${opened.path}: the file became shorter while it was read`)
}

/** RFC 9110, section 14.6. */
function toParts(
  ranges: readonly ByteRange[],
  size: number,
  contentType: string,
  boundary: string,
): BodyPart[] {
  const parts = ranges.flatMap((range): BodyPart[] => [
    Buffer.from(
      `\r\n--${boundary}\r\nContent-Type: ${contentType}\r\nContent-Range: ${describeRange(range, size)}\r\n\r\n`,
    ),
    range,
  ])
  return [...parts, Buffer.from(`\r\n--${boundary}--\r\n`)]
}
