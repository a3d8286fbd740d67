/** Writes down what two transports say, so that a test can wait for a line and compare the whole. */
import type { Transport } from '../../src/protocol/transport.js'

export class TransportTrace {
  readonly lines: string[] = []
  #watchers: { line: string; seen: () => void }[] = []

  watch(name: string, transport: Transport): void {
    transport.on('end', () => this.add(`${name} end`))
    transport.on('error', (error) => this.add(`${name} error ${codeOf(error)}`))
    transport.on('close', (hadError) => this.add(`${name} close ${hadError}`))
  }

  add(line: string): void {
    this.lines.push(line)
    const isSeen = (watcher: { line: string }): boolean => watcher.line === line
    const watchers = this.#watchers.filter(isSeen)
    this.#watchers = this.#watchers.filter((watcher) => !isSeen(watcher))
    for (const watcher of watchers) watcher.seen()
  }

  /** A callback for a write, which notes how it ended. */
  done(name: string): (error?: Error | null) => void {
    return (error) => this.add(`${name} done ${error ? codeOf(error) : 'ok'}`)
  }

  /** Resolves once all of these lines have been written. */
  async seen(...lines: string[]): Promise<void> {
    await Promise.all(
      lines.map(async (line) => {
        if (this.lines.includes(line)) return
        await new Promise<void>((resolve) => this.#watchers.push({ line, seen: resolve }))
      }),
    )
  }
}

function codeOf(error: Error): string {
  return (error as NodeJS.ErrnoException).code ?? error.message
}
