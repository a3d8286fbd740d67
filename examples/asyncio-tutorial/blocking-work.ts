/** Work that blocks its thread: a library without async calls, say, or a file that is read by `readFileSync`. */
export function blockFor(ms: number): string {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
  return 'blocked, and done'
}
