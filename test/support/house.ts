/**
 * The rooms of `src` and the arrows that are allowed between them; ARCHITECTURE.md says why.
 * `test/architecture/imports.test.ts` compares every import with this table.
 */

export interface Room {
  /**
   * Rooms, or single files of a room (`observe/counters`), that every file of the room may import.
   */
  mayImport: readonly string[]
  /** More of the same for single files of the room, by their name without `.ts`. */
  exceptions?: Readonly<Record<string, readonly string[]>>
  /** The npm packages that it may import; `node:` modules are open to all. */
  packages?: readonly string[]
  /** Those that it may import because the build puts their code into ours; they are devDependencies. */
  bundled?: readonly string[]
}

/** What every room may import, these three themselves by their own rows. */
const everywhere = ['errors', 'logger', 'concurrency'] as const

/** A room is `src/NAME.ts` or everything under `src/NAME/`; its own files are open to it. */
export const house: Readonly<Record<string, Room>> = {
  errors: { mayImport: [] },
  logger: { mayImport: [] },
  concurrency: { mayImport: ['errors', 'logger'] },
  observe: { mayImport: [...everywhere] },
  protocol: { mayImport: [...everywhere] },
  server: { mayImport: [...everywhere, 'protocol', 'observe/counters'] },
  client: { mayImport: [...everywhere, 'protocol'] },
  'http-mini': {
    mayImport: [...everywhere, 'protocol'],
    exceptions: { 'start-http-server': ['server'] },
    bundled: ['mrmime'],
  },
  admin: { mayImport: [...everywhere, 'http-mini', 'server', 'observe'] },
  testing: { mayImport: [...everywhere, 'server', 'client', 'protocol'] },
  cli: {
    mayImport: [
      ...everywhere,
      'observe',
      'protocol',
      'server',
      'client',
      'http-mini',
      'admin',
      'testing',
    ],
    packages: ['commander', 'pino', 'pino-pretty'],
  },
  index: { mayImport: [...everywhere, 'observe', 'protocol', 'server', 'client', 'http-mini'] },
}
