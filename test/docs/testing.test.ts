/** Every program of the page on testing is run as it stands there, and prints what its comments say. */
import { describe, expect, test } from 'vitest'
import { documentedPrograms, playProgram } from '../support/documented-programs.js'

const programs = documentedPrograms('docs/testing.md')

describe('docs/testing.md', () => {
  test('shows each thing in a program of fewer than 25 lines', () => {
    expect(programs.length).toBeGreaterThanOrEqual(5)
    for (const { source } of programs) expect(source.trimEnd().split('\n').length).toBeLessThan(25)
  })

  test.each(programs.map((program, i) => [i + 1, program] as const))(
    'has a program %i that prints what its comments say',
    async (_number, program) => {
      expect(program.prints.length).toBeGreaterThan(0)
      expect(await playProgram(program)).toEqual(program.prints)
    },
  )
})
