/** Every program of the page on broadcast and iterators is run as it stands there, and prints what its comments say. */
import { expect, test } from 'vitest'
import { documentedPrograms, playProgram } from '../support/documented-programs.js'

const programs = documentedPrograms('docs/broadcast-and-iterators.md')

test('docs/broadcast-and-iterators.md has programs', () => {
  expect(programs.length).toBeGreaterThanOrEqual(5)
})

test.each(programs.map((program, i) => [i + 1, program] as const))(
  'program %i of docs/broadcast-and-iterators.md prints what its comments say',
  async (_number, program) => {
    expect(program.prints.length).toBeGreaterThan(0)
    expect(await playProgram(program)).toEqual(program.prints)
  },
)
