/**
 * What a terminal shows after it was written to: as much of one as node:readline needs, and not a sequence more.
 * It has no bottom: nothing scrolls.
 */
export class Screen {
  readonly #columns: number
  readonly #rows: string[][] = [[]]
  #row = 0
  #column = 0

  constructor(columns: number) {
    this.#columns = columns
  }

  /** Writes a text, whole. @throws Error at a sequence that it does not know */
  write(text: string): this {
    // oxlint-disable-next-line no-control-regex -- it is what a terminal obeys
    const token = /\x1b\[(\d*)([A-Z])|([\0-\x1f\x7f-\x9f])|(.)/gsu
    for (const [all, count = '', sequence, control, character] of text.matchAll(token)) {
      if (sequence !== undefined) this.#obey(sequence, Number(count || '1'), all)
      else if (control !== undefined) this.#control(control)
      else this.#put(character ?? '')
    }
    return this
  }

  /** The lines, without blanks at their ends, down to the cursor's or the last that is not empty. */
  get lines(): string[] {
    const lines = this.#rows.map((row) =>
      Array.from(row, (one) => one ?? ' ')
        .join('')
        .trimEnd(),
    )
    while (lines.length > this.#row + 1 && lines.at(-1) === '') lines.pop()
    return lines
  }

  /** Where the cursor is, from 0. */
  get cursor(): { row: number; column: number } {
    return { row: this.#row, column: this.#column }
  }

  #obey(sequence: string, count: number, all: string): void {
    switch (sequence) {
      case 'A':
        this.#row = Math.max(0, this.#row - count)
        return
      case 'B':
        this.#row += count
        return
      case 'C':
        this.#column += count
        return
      case 'D':
        this.#column = Math.max(0, this.#column - count)
        return
      case 'G':
        this.#column = count - 1
        return
      case 'J':
        this.#rows.splice(this.#row + 1)
        this.#rows[this.#row]?.splice(this.#column)
        return
      default:
        throw new Error(`an unknown sequence: ${JSON.stringify(all)}`)
    }
  }

  #control(control: string): void {
    if (control === '\r') this.#column = 0
    else if (control === '\n') this.#row++
    else throw new Error(`an unknown control: ${JSON.stringify(control)}`)
    while (this.#rows.length <= this.#row) this.#rows.push([])
  }

  #put(character: string): void {
    if (this.#column >= this.#columns) this.write('\r\n')
    const row = (this.#rows[this.#row] ??= [])
    while (row.length < this.#column) row.push(' ')
    row[this.#column++] = character
  }
}
