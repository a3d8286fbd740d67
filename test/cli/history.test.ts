import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { defaultHistoryPath, History, MOST_LINES } from '../../src/cli/history.js'
import { temporaryFolder } from '../support/wire.js'

const noWarning = (message: string): void => {
  throw new Error(message)
}

async function modeOf(path: string): Promise<number> {
  return (await stat(path)).mode & 0o777
}

describe('History', () => {
  test('keeps lines from one run to the next', async () => {
    const path = join(await temporaryFolder(), 'a', 'b', 'history')
    const first = new History(path, noWarning)
    expect(first.lines).toEqual([])
    first.add('one')
    first.add('two Grüße')
    const second = new History(path, noWarning)
    expect(second.lines).toEqual(['one', 'two Grüße'])
    second.add('three')
    expect(new History(path, noWarning).lines).toEqual(['one', 'two Grüße', 'three'])
  })

  test('keeps its file and its folder to the owner', async () => {
    const path = join(await temporaryFolder(), 'a', 'history')
    new History(path, noWarning).add('secret')
    expect(await modeOf(path)).toBe(0o600)
    expect(await modeOf(dirname(path))).toBe(0o700)
  })

  test('takes a file that others may read away from them', async () => {
    const path = join(await temporaryFolder(), 'history')
    await writeFile(path, 'old\n')
    await chmod(path, 0o644)
    expect(new History(path, noWarning).lines).toEqual(['old'])
    expect(await modeOf(path)).toBe(0o600)
  })

  test('leaves out lines that are empty or begin with a space', async () => {
    const path = join(await temporaryFolder(), 'history')
    const history = new History(path, noWarning)
    for (const line of ['', '   ', ' secret', 'a']) history.add(line)
    expect(await readFile(path, 'utf8')).toBe('a\n')
  })

  test('makes no file when nothing was typed', async () => {
    const path = join(await temporaryFolder(), 'a', 'history')
    new History(path, noWarning).add(' secret')
    await expect(stat(dirname(path))).rejects.toThrow('ENOENT')
  })

  test('gives no line that a terminal would obey', async () => {
    const path = join(await temporaryFolder(), 'history')
    await writeFile(path, 'a\tb\n\x1b[2J\nc\r\nd\n')
    expect(new History(path, noWarning).lines).toEqual(['a\tb', 'd'])
  })

  test('gives the last lines, and cuts the file when it has twice as many', async () => {
    const path = join(await temporaryFolder(), 'history')
    const lines = Array.from({ length: 2 * MOST_LINES + 1 }, (_, i) => `line ${i}`)
    await writeFile(path, `${lines.join('\n')}\n`)
    const last = lines.slice(-MOST_LINES)
    expect(new History(path, noWarning).lines).toEqual(last)
    expect(await readFile(path, 'utf8')).toBe(`${last.join('\n')}\n`)
    expect(await modeOf(path)).toBe(0o600)
  })

  test('reads only the end of a huge file, from the beginning of a line on', async () => {
    const path = join(await temporaryFolder(), 'history')
    await writeFile(path, `${'x'.repeat(2 * 1024 * 1024)}\nlast\n`)
    expect(new History(path, noWarning).lines).toEqual(['last'])
  })

  test('says once why it keeps nothing, and goes on', async () => {
    const folder = await temporaryFolder()
    const blocked = join(folder, 'file', 'history')
    await writeFile(join(folder, 'file'), '')
    const isFolder = join(folder, 'folder')
    await mkdir(isFolder)
    for (const path of [blocked, isFolder]) {
      const warnings: string[] = []
      const history = new History(path, (message) => warnings.push(message))
      history.add('a')
      history.add('b')
      expect(history.lines).toEqual([])
      expect(warnings).toHaveLength(1)
      expect(warnings[0]).toContain(`no history is kept in ${path}: `)
    }
  })

  test('keeps nothing without a path', () => {
    const history = new History(undefined, noWarning)
    history.add('a')
    expect(history.lines).toEqual([])
  })
})

describe('defaultHistoryPath()', () => {
  test('is in the state folder of XDG', () => {
    expect(defaultHistoryPath({ XDG_STATE_HOME: '/state' })).toBe('/state/standpipe/history')
  })

  test.each([{}, { XDG_STATE_HOME: '' }, { XDG_STATE_HOME: 'relative' }])(
    'is in the home with %j',
    (environment) => {
      const expected = join(homedir(), '.local/state/standpipe/history')
      expect(defaultHistoryPath(environment)).toBe(expected)
    },
  )
})
