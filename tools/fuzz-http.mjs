// A longer run of test/http-mini/fuzz.test.ts, with another seed each time; it prints the seed, with which a failure comes
// again.
//
//   node tools/fuzz-http.mjs [COUNT] [SEED]
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const [count = '20000', seed = String(Date.now() % 2 ** 31)] = process.argv.slice(2)
if (!/^[1-9]\d*$/.test(count) || !/^\d+$/.test(seed)) {
  console.error('usage: node tools/fuzz-http.mjs [COUNT] [SEED]')
  process.exit(2)
}
console.log(`${count} runs of each property, seed ${seed}`)
const { status } = spawnSync('npx', ['vitest', 'run', 'test/http-mini/fuzz.test.ts'], {
  cwd: fileURLToPath(new URL('..', import.meta.url)),
  env: { ...process.env, STANDPIPE_FUZZ_RUNS: count, STANDPIPE_FUZZ_SEED: seed },
  stdio: 'inherit',
})
process.exit(status ?? 1)
