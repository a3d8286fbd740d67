/** A request without a connection, for tests of what answers requests: what such code may look at, and no more. */
import type { HttpRequest } from '../../src/http-mini/http-request.js'

export interface FakeRequestOptions {
  /** @default 'GET' */
  method?: string
  /** By their names in lower case. */
  headers?: Readonly<Record<string, string>>
  /** Aborts when the peer is gone. */
  signal?: AbortSignal
}

export function fakeRequest(
  target: string,
  { method = 'GET', headers = {}, signal }: FakeRequestOptions = {},
): HttpRequest {
  const [path = '', queryString = ''] = target.split(/\?(.*)/s)
  const request = {
    id: 1,
    method,
    target,
    path,
    queryString,
    query: new URLSearchParams(queryString),
    version: '1.1',
    host: 'localhost',
    headers: {
      get: (name: string) => (Object.hasOwn(headers, name) ? headers[name] : undefined),
      has: (name: string) => Object.hasOwn(headers, name),
    },
    params: {},
    signal: signal ?? new AbortController().signal,
  }
  return request as unknown as HttpRequest
}
