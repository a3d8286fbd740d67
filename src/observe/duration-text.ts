const UNITS: readonly (readonly [name: string, ms: number, below: number])[] = [
  ['ns', 1e-6, 1e-3],
  ['µs', 1e-3, 1],
  ['ms', 1, 1000],
  ['s', 1000, 120_000],
  ['min', 60_000, 7_200_000],
  ['h', 3_600_000, Infinity],
]

/** A duration in milliseconds for people, in the unit that fits it and with three digits: `850 ns`, `1.25 ms`, `90 s`. */
export function durationText(ms: number): string {
  if (ms === 0) return '0 ns'
  for (const [name, unitMs, below] of UNITS) {
    // Rounded first, so that 999.9995 ms is 1 s and not 1e+3 ms.
    const number = Number((ms / unitMs).toPrecision(3))
    if (number * unitMs < below) return `${number} ${name}`
  }
  return `${ms} ms`
}
