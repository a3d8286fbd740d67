/** What a file is, by the end of its name. */
import { extname } from 'node:path'
import { mimes } from 'mrmime'

/** What the list leaves out, and browsers ask for. */
const MORE: Readonly<Record<string, string>> = { ico: 'image/x-icon' }

/**
 * The Content-Type for a file of this name. Text is taken for UTF-8, except for XML, which says itself what it is; an
 * end that nobody knows is plain bytes.
 */
export function mediaTypeOf(name: string): string {
  const end = extname(name).slice(1).toLowerCase()
  const type = own(mimes, end) ?? own(MORE, end) ?? 'application/octet-stream'
  return type.startsWith('text/') && type !== 'text/xml' ? `${type}; charset=utf-8` : type
}

/** A name may end in `.constructor`. */
function own(list: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(list, name) ? list[name] : undefined
}
