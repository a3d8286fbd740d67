/** Checks how many there are to be. @throws RangeError unless it is a whole number, `least` or more */
export function checkCount(name: string, count: number, least: 0 | 1 = 1): void {
  if (Number.isSafeInteger(count) && count >= least) return
  const range = least === 0 ? '0 or above' : 'above 0'
  throw new RangeError(`${name} must be a whole number ${range}, not ${count}`)
}
