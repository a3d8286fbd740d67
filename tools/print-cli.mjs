// Prints docs/cli.md from the help of the built command: npm run docs:cli. With --check it only compares, for a test.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))
const PAGE = new URL('../docs/cli.md', import.meta.url)

// Defaults are shown as they are, whatever the environment says.
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(STANDPIPE_|COLUMNS$|FORCE_COLOR$)/.test(name)),
)
const help = (...words) =>
  execFileSync(process.execPath, [MAIN, ...words, '--help'], { env, encoding: 'utf8' }).trimEnd()

const overview = help()
const commands = [...overview.slice(overview.indexOf('Commands:')).matchAll(/^ {2}(\w+) /gm)]
  .map(([, name]) => name)
  .filter((name) => name !== 'help')

const page = `# Commands

Printed from the commands' own help; a test fails when this page is stale. To print it anew: \`npm run build && npm run docs:cli\`.

\`\`\`
${overview}
\`\`\`
${commands.map((name) => `\n## standpipe ${name}\n\n\`\`\`\n${help(name)}\n\`\`\`\n`).join('')}`

if (!process.argv.includes('--check')) {
  writeFileSync(PAGE, page)
} else if (readFileSync(PAGE, 'utf8') !== page) {
  console.error('docs/cli.md is stale: npm run build && npm run docs:cli')
  process.exitCode = 1
}
