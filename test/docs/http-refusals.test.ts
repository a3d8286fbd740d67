/** docs/http-refusals.md: its rows are the refusals of the conformance table, no more and no fewer. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { topics } from '../http-mini/conformance/cases/index.js'

const RULE = /RFC \d{4} [\d.]+|CVE-\d{4}-\d+/g

/** `400 RFC 9112 3` for each rule of each row. */
async function documented(): Promise<Set<string>> {
  const page = await readFile(new URL('../../docs/http-refusals.md', import.meta.url), 'utf8')
  const refusals = new Set<string>()
  let status = ''
  for (const line of page.split('\n')) {
    status = /^## (\d{3})/.exec(line)?.[1] ?? (line.startsWith('## ') ? '' : status)
    if (!line.startsWith('|')) continue
    const ofRow = /^\| (\d{3}) /.exec(line)?.[1] ?? status
    const rules = line.split('|').at(-2) ?? ''
    for (const [rule] of rules.matchAll(RULE)) refusals.add(`${ofRow} ${rule}`)
  }
  return refusals
}

function tried(): Set<string> {
  const refused = topics
    .flatMap(([, cases]) => cases)
    .filter(({ seen, replies }) => replies.length > seen.length || seen.at(-1)?.endsWith(' !'))
    .filter(({ replies }) => (replies.at(-1) ?? 0) >= 400)
  return new Set(refused.map(({ replies, clause }) => `${replies.at(-1)} ${clause}`))
}

test('docs/http-refusals.md has a rule for every refusal of the table, and a refusal for every rule', async () => {
  const page = await documented()
  expect([...page].toSorted()).toEqual([...tried()].toSorted())
})
