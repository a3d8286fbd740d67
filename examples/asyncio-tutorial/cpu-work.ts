/** Work for the processor, on whichever thread it is called. */
export function sumOfSquares(count: number): number {
  let sum = 0
  for (let i = 0; i < count; i++) sum = (sum + i * i) % 1_000_003
  return sum
}
