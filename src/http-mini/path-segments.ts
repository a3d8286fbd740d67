/**
 * A path as its segments, each decoded once (RFC 3986, section 2.4): an encoded slash stays in its segment, and
 * nothing is rewritten. Dot segments and empty ones are left as they are; what they match is not decided here.
 */

/**
 * The segments of a path that begins with a slash: `/a/b%20c/` is `a`, `b c` and an empty one. A `+` is a plus.
 *
 * @throws URIError for an escape that is none, and for escaped bytes that are not UTF-8
 */
export function splitPath(path: string): string[] {
  const segments = path.slice(1).split('/')
  if (!path.includes('%')) return segments
  return segments.map((segment) => (segment.includes('%') ? decodeURIComponent(segment) : segment))
}

/** Whether a segment is one that a URL parser would take out of a path, also when it came encoded. */
export function isDotSegment(segment: string): boolean {
  return segment === '.' || segment === '..'
}

/**
 * The segments from `start` on as one text, as many segments as they are: a slash inside one, which came encoded, is
 * `%2F` again.
 */
export function joinTail(segments: readonly string[], start: number): string {
  let tail = ''
  for (let at = start; at < segments.length; at++) {
    const segment = segments[at] as string
    if (at > start) tail += '/'
    tail += segment.includes('/') ? segment.replaceAll('/', '%2F') : segment
  }
  return tail
}
