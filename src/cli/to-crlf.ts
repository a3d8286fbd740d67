/**
 * Input whose lines end in LF, as input whose lines end in CRLF: for protocols that insist on it. A CRLF that is
 * there already stays as it is, and a lone CR is no end of a line.
 *
 * Invariant: the result does not depend on how the input was cut into chunks.
 */
const LF = 10
const CR = 13
const CRLF = Buffer.from('\r\n')

/** The chunks of `input`, each LF with a CR before it. */
export async function* toCrlf(input: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let endsInCr = false
  for await (const chunk of input) {
    if (chunk.length === 0) continue
    yield convert(chunk, endsInCr)
    endsInCr = chunk.at(-1) === CR
  }
}

function convert(chunk: Buffer, isAfterCr: boolean): Buffer {
  const parts: Buffer[] = []
  let from = 0
  for (let at = -1; (at = chunk.indexOf(LF, at + 1)) >= 0;) {
    const hasCr = at === 0 ? isAfterCr : chunk[at - 1] === CR
    if (hasCr) continue
    parts.push(chunk.subarray(from, at), CRLF)
    from = at + 1
  }
  return from === 0 ? chunk : Buffer.concat([...parts, chunk.subarray(from)])
}
