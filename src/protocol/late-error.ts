/**
 * An error that is made when somebody asks for it. Most connections end without anybody reading or writing
 * afterwards, and the stack of an error costs more than all else that closing does.
 */
export type LateError = Error | (() => Error)

/** The error itself. Store it back, so that each asker gets the same one. */
export function madeNow(error: LateError): Error {
  return typeof error === 'function' ? error() : error
}
