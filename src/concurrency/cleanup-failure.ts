/** What went wrong while things were cleaned up, as one error that names each of them. */

/** One clean-up that failed. */
export interface CleanupFailure {
  /** What was to be cleaned up. */
  readonly name: string
  readonly error: unknown
}

/**
 * The error of whoever cleaned up: all errors are in `errors`, that of the work itself first, if there was one (it is
 * the `cause` then as well). An error that several end with is kept once.
 *
 * @param who Whose clean-ups they were, and how many there were in all.
 * @param before The error of the work that the clean-ups came after.
 */
export function cleanupError(
  who: { name: string; count: number },
  failures: readonly CleanupFailure[],
  before?: { error: unknown },
): AggregateError {
  const own = failures.map(describe).join('; ')
  const count = `${failures.length} of ${who.count} clean-ups failed: ${own}`
  const errors = new Set(failures.map(({ error }) => error))
  if (before === undefined) return new AggregateError(errors, `${who.name}: ${count}`)
  const { error } = before
  return new AggregateError(
    new Set([error, ...errors]),
    `${who.name}: ${messageOf(error)}; afterwards ${count}`,
    { cause: error },
  )
}

/** A timeout of ours says by itself what it was. */
function describe({ name, error }: CleanupFailure): string {
  const message = messageOf(error)
  return message.startsWith(`${name}: `) ? message : `${name}: ${message}`
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
