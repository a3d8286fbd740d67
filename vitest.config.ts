import { defineConfig } from 'vitest/config'
import { ClosingLineReporter } from './test/support/closing-line-reporter.js'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    testTimeout: 20_000,
    hookTimeout: 20_000,
    reporters: ['default', new ClosingLineReporter()],
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      reporter: ['text-summary', 'html', 'json-summary'],
      thresholds: {
        'src/concurrency/**': { statements: 95, branches: 95 },
        'src/http-mini/**': { statements: 95, branches: 95 },
        'src/observe/**': { statements: 95, branches: 95 },
        'src/protocol/**': { statements: 95, branches: 95 },
        'src/server/**': { statements: 95, branches: 95 },
        'src/client/**': { statements: 95, branches: 95 },
        'src/testing/**': { statements: 95, branches: 95 },
      },
    },
  },
})
