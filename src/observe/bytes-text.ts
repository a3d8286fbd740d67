const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const

/** A number of bytes for people, negative ones too: `512 B`, `1.5 KiB`, `-45.2 MiB`. */
export function bytesText(bytes: number): string {
  let power = 0
  let number = bytes
  // What would be rounded up to 1024 of a unit is 1 of the next.
  while (Math.abs(number) >= 1023.95 && power < UNITS.length - 1) {
    number /= 1024
    power++
  }
  return `${Number(number.toFixed(power === 0 ? 0 : 1))} ${UNITS[power] ?? ''}`
}
