/** Every program of the page on resources and services is run as it stands there, and prints what its comments say. */
import { expect, test } from 'vitest'
import { documentedPrograms, playProgram } from '../support/documented-programs.js'

const programs = documentedPrograms('docs/resources-and-services.md')

test('docs/resources-and-services.md has programs', () => {
  expect(programs.length).toBeGreaterThanOrEqual(2)
})

test.each(programs.map((program, i) => [i + 1, program] as const))(
  'program %i of docs/resources-and-services.md prints what its comments say',
  async (_number, program) => {
    expect(program.prints.length).toBeGreaterThan(0)
    expect(await playProgram(program)).toEqual(program.prints)
  },
)
