/** The params of a route, by the literal of its pattern: types alone. */

/** What one segment of a pattern names: `:id` and `*rest` do, everything else names nothing. */
type NameOf<Segment extends string> = Segment extends `:${infer Name}` | `*${infer Name}`
  ? Name
  : never

type NamesOf<Pattern extends string> = Pattern extends `${infer Segment}/${infer Rest}`
  ? NameOf<Segment> | NamesOf<Rest>
  : NameOf<Pattern>

/**
 * The params that a pattern names, each a string: `PathParams<'/users/:id/files/*path'>` has `id` and `path`. A
 * pattern that is not known as a literal may have any.
 */
export type PathParams<Pattern extends string> = string extends Pattern
  ? Record<string, string>
  : { [Name in NamesOf<Pattern>]: string }
