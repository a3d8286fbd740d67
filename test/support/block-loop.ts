/** Keeps the thread busy for so long: what a handler must not do. */
export function blockLoop(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}
