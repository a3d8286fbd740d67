import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

test('docs/cli.md is what the commands say of themselves', async () => {
  const tool = fileURLToPath(new URL('../../tools/print-cli.mjs', import.meta.url))
  const { stderr } = await promisify(execFile)(process.execPath, [tool, '--check']).catch(
    (error: { stderr: string }) => error,
  )
  expect(stderr).toBe('')
})
