/**
 * Errors on their way between threads. A structured clone keeps of an error its message and its stack, and of its class
 * only whether it is one of the language's; here its name, code, cause and plain fields arrive as well.
 *
 * Both functions are also run in the thread, as source text: they may use nothing but what the language gives.
 */

/** What an error, or whatever else was thrown, is while it is under way. */
export type ThrownOnWire =
  | { readonly kind: 'value'; readonly value: unknown }
  | {
      readonly kind: 'error'
      readonly name: string
      readonly message: string
      readonly stack: string | undefined
      readonly cause: ThrownOnWire | undefined
      /** Those of an AggregateError. */
      readonly errors: readonly ThrownOnWire[] | undefined
      /** What else it has that is a plain value: `code`, `errno`, `status`. */
      readonly fields: Readonly<Record<string, unknown>>
    }

/** Takes an error apart. What is no error goes as it is, or as text if it cannot be cloned. */
export function thrownToWire(thrown: unknown, depth = 0): ThrownOnWire {
  const isError = thrown instanceof Error || {}.toString.call(thrown) === '[object Error]'
  // A chain of causes that is longer, or a circle, is cut. Arbitrary.
  const deepest = 8
  if (!isError) {
    try {
      return { kind: 'value', value: structuredClone(thrown) }
    } catch {
      return { kind: 'value', value: String(thrown) }
    }
  }
  // Somebody may have put anything there.
  const error = thrown as Readonly<Record<keyof AggregateError, unknown>>
  const fields: Record<string, unknown> = {}
  // The code of a DOMException is a number that says nothing, and is not its own.
  const names = Object.keys(error)
  for (const name of names) {
    const value = (error as Readonly<Record<string, unknown>>)[name]
    const isPlain = value === null || !['object', 'function', 'symbol'].includes(typeof value)
    if (isPlain && !['name', 'message', 'stack', 'cause', 'errors'].includes(name)) {
      fields[name] = value
    }
  }
  const { cause, errors } = error
  const goesOn = depth < deepest
  return {
    kind: 'error',
    name: String(error.name),
    message: String(error.message),
    stack: typeof error.stack === 'string' ? error.stack : undefined,
    cause: cause === undefined || !goesOn ? undefined : thrownToWire(cause, depth + 1),
    errors:
      Array.isArray(errors) && goesOn
        ? errors.map((one: unknown) => thrownToWire(one, depth + 1))
        : undefined,
    fields,
  }
}

/** Puts an error together again: of its own class where that is one of the language's, otherwise an Error with its name. */
export function thrownFromWire(wire: ThrownOnWire): unknown {
  if (wire.kind === 'value') return wire.value
  const { name, message, stack, cause, errors, fields } = wire
  const classes: Record<string, ErrorConstructor> = {
    EvalError,
    RangeError,
    ReferenceError,
    SyntaxError,
    TypeError,
    URIError,
  }
  const options = cause === undefined ? undefined : { cause: thrownFromWire(cause) }
  const error =
    errors === undefined
      ? new (classes[name] ?? Error)(message, options)
      : new AggregateError(
          errors.map((one) => thrownFromWire(one)),
          message,
          options,
        )
  const hidden = { configurable: true, writable: true, enumerable: false }
  if (error.name !== name) Object.defineProperty(error, 'name', { ...hidden, value: name })
  Object.defineProperty(error, 'stack', { ...hidden, value: stack })
  return Object.assign(error, fields)
}
