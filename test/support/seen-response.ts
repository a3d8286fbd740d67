/** A response as a client would see it, without a connection. */
import { HttpError } from '../../src/http-mini/http-error.js'
import { HttpResponse, type HandlerResult } from '../../src/http-mini/http-response.js'

export interface SeenResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** What is said to be its length; undefined where it is not said. */
  readonly length: number | undefined
  /** All of the body, as Latin-1. */
  readonly body: string
}

/** What a handler answers, or the status and the fields of the HttpError that it throws. */
export async function seen(
  answer: () => HandlerResult | Promise<HandlerResult>,
): Promise<SeenResponse> {
  let result
  try {
    result = await answer()
  } catch (error) {
    if (!(error instanceof HttpError)) throw error
    const headers = lowered(Object.entries(error.headers ?? {}) as [string, string][])
    return { status: error.status, headers, length: undefined, body: '' }
  }
  if (!(result instanceof HttpResponse)) throw new Error('the handler gives no response')
  const { status, headers, body } = result
  return { status, headers: lowered(headers), ...(await collect(body)) }
}

async function collect(body: unknown): Promise<{ length: number | undefined; body: string }> {
  if (body === undefined || body === null) return { length: undefined, body: '' }
  if (typeof body === 'string') return { length: Buffer.byteLength(body), body }
  if (body instanceof Uint8Array) {
    return { length: body.length, body: Buffer.from(body).toString('latin1') }
  }
  const { length } = body as { length?: number }
  const blocks: Buffer[] = []
  for await (const block of body as AsyncIterable<string | Uint8Array>) {
    blocks.push(Buffer.from(block as Uint8Array))
  }
  return { length, body: Buffer.concat(blocks).toString('latin1') }
}

function lowered(fields: Iterable<readonly [string, string]>): Record<string, string> {
  return Object.fromEntries([...fields].map(([name, value]) => [name.toLowerCase(), value]))
}
