/** The command line makes no sense: exit 2. The message names the value, the hint says what to write instead. */
export class UsageError extends Error {
  /** What to try, as a sentence. */
  readonly hint: string

  constructor(message: string, hint: string) {
    super(message)
    this.name = 'UsageError'
    this.hint = hint
  }
}
