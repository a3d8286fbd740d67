/** How late a stopwatch may think it is: Node's timers can fire a millisecond early, and a sum of sleeps several. */
const TOLERANCE_MS = 10

/** Gives a function that says how long it is since now, in whole tenths of a second, rounded down: `0.3 s`. */
export function startStopwatch(): () => string {
  const startMs = performance.now()
  return () => {
    const tenths = Math.floor((performance.now() - startMs + TOLERANCE_MS) / 100)
    return `${(tenths / 10).toFixed(1)} s`
  }
}
