/** Every program of the page on HTTP is run as it stands there, and prints what its comments say. */
import { expect, test } from 'vitest'
import { documentedPrograms, playProgram } from '../support/documented-programs.js'

const programs = documentedPrograms('docs/http.md')

test('docs/http.md has programs', () => {
  expect(programs.length).toBeGreaterThanOrEqual(5)
})

test.each(programs.map((program, i) => [i + 1, program] as const))(
  'program %i of docs/http.md prints what its comments say',
  async (_number, program) => {
    expect(program.prints.length).toBeGreaterThan(0)
    expect(await playProgram(program)).toEqual(program.prints)
  },
)
