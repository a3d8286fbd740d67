import type { HttpResponse } from './http-response.js'

/** Adds those fields that a response does not have yet, and gives the response back. */
export function withDefaults(
  response: HttpResponse,
  fields: Readonly<Record<string, string>>,
): HttpResponse {
  for (const [name, value] of Object.entries(fields)) {
    if (!response.headers.has(name)) response.headers.append(name, value)
  }
  return response
}
