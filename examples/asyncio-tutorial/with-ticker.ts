/** Does the work, and says whether others had a turn of the event loop meanwhile. */
export async function withTicker<T>(work: () => Promise<T>): Promise<T> {
  let ticks = 0
  const ticker = setInterval(() => ticks++, 1)
  try {
    return await work()
  } finally {
    clearInterval(ticker)
    console.log(`  others had their turn: ${ticks > 0}`)
  }
}
