/** Requests by node:http, each on a connection of its own, with the path exactly as it is given. */
import http from 'node:http'
import { onTestFinished } from 'vitest'

export interface Fetched {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: Buffer
}

export interface FetchOptions {
  method?: string
  headers?: Readonly<Record<string, string>>
  body?: string
}

/** Sends a request and reads its answer to the end. @throws Error when the connection ends before that */
export async function fetchFrom(
  port: number,
  path: string,
  options: FetchOptions = {},
): Promise<Fetched> {
  const response = await begin(port, path, options)
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: Buffer.concat(chunks),
  }
}

/** Sends a request and gives its answer as soon as the head is there; nothing of the body is read yet. */
export async function begin(
  port: number,
  path: string,
  { method = 'GET', headers = {}, body }: FetchOptions = {},
): Promise<http.IncomingMessage> {
  return await new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, path, method, headers, agent: false })
    request.on('error', reject)
    request.on('response', (response) => {
      onTestFinished(() => {
        response.on('error', () => {})
        request.destroy()
      })
      resolve(response)
    })
    request.end(body)
  })
}
