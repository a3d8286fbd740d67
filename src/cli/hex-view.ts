/**
 * What goes and what comes, as rows that a person reads: direction, offset, bytes, and what of them is printable.
 *
 *     > 00000000  48 65 6c 6c 6f 0a                                 |Hello.|
 *     < 00000000  53 65 72 76 65 72 20 72  65 63 65 69 76 65 64 3a  |Server received:|
 *
 * A row begins with each chunk, so that it tells how the bytes came; offsets count on, each direction by itself.
 * It shows and changes nothing: the bytes are passed on as they are.
 */
import type { Output } from './stdio.js'

const BYTES_PER_ROW = 16
const BYTES_PER_GROUP = 8
/** Three characters a byte, and the gap between the groups. */
const HEX_WIDTH = BYTES_PER_ROW * 3 + 1

/** The rows of one direction. */
export class HexRows {
  readonly #mark: string
  #offset = 0

  /** @param mark what each row begins with: `>` for what goes, `<` for what comes */
  constructor(mark: '>' | '<') {
    this.#mark = mark
  }

  /** The rows of the next bytes, each with its newline. */
  next(chunk: Uint8Array): string {
    let rows = ''
    for (let at = 0; at < chunk.length; at += BYTES_PER_ROW) {
      const bytes = Buffer.from(chunk.subarray(at, at + BYTES_PER_ROW))
      const offset = (this.#offset + at).toString(16).padStart(8, '0')
      rows += `${this.#mark} ${offset}  ${toHex(bytes).padEnd(HEX_WIDTH)} |${toPrintable(bytes)}|\n`
    }
    this.#offset += chunk.length
    return rows
  }
}

/** Passes an input on, and shows each chunk of it before it goes. */
export async function* showSent(
  input: AsyncIterable<Buffer>,
  output: Output,
): AsyncGenerator<Buffer> {
  const rows = new HexRows('>')
  for await (const chunk of input) {
    // A failure is told by the output itself, and is none of the input.
    await output.write(rows.next(chunk)).catch(ignore)
    yield chunk
  }
}

/** An output for what comes: it shows the bytes instead of printing them. */
export function showReceived(output: Output): Output {
  const rows = new HexRows('<')
  return {
    write: (chunk) => output.write(rows.next(Buffer.from(chunk))),
    flush: () => output.flush(),
    failure: output.failure,
  }
}

function toHex(bytes: Buffer): string {
  const hex = bytes.toString('hex').replaceAll(/../g, '$& ')
  const gap = BYTES_PER_GROUP * 3
  return bytes.length > BYTES_PER_GROUP ? `${hex.slice(0, gap)} ${hex.slice(gap)}` : hex
}

function toPrintable(bytes: Buffer): string {
  return bytes.toString('latin1').replaceAll(/[^ -~]/g, '.')
}

function ignore(): void {}
