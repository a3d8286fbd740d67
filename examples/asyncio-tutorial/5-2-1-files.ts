/**
 * 5.2.1 Files: `aiofiles` is `node:fs/promises`, which is a part of Node.
 *
 * The tutorial writes into the folder that it happens to be run in, and leaves its files there when anything fails: here
 * they have a folder of their own, which is taken away in `finally`. Files are written and read in any order, so each
 * is told of when all are through.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

const files: Readonly<Record<string, string>> = {
  'file1.txt': 'This is the content of the first file\n'.repeat(100),
  'file2.txt': 'This is the content of the second file\n'.repeat(200),
  'file3.txt': 'This is the content of the third file\n'.repeat(150),
}

/** The text of a file; null when there is none. */
async function readIfPresent(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

const folder = await mkdtemp(path.join(tmpdir(), 'standpipe-example-'))
try {
  await Promise.all(
    Object.entries(files).map(([name, content]) => writeFile(path.join(folder, name), content)),
  )
  for (const name of Object.keys(files)) console.log(`${name} is written`)

  const names = [...Object.keys(files), 'file4.txt']
  const contents = await Promise.all(names.map((name) => readIfPresent(path.join(folder, name))))
  for (const [i, name] of names.entries()) {
    const content = contents[i] ?? null
    console.log(
      content === null ? `${name} does not exist` : `${name} has ${content.length} characters`,
    )
  }
} finally {
  await rm(folder, { recursive: true })
}

// Prints:
// file1.txt is written
// file2.txt is written
// file3.txt is written
// file1.txt has 3800 characters
// file2.txt has 7800 characters
// file3.txt has 5700 characters
// file4.txt does not exist
