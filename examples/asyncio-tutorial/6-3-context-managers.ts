/**
 * 6.3 `async with` is `await using`: what a block has opened is closed at its end, however it is left.
 *
 * `__aenter__` is a function that opens and gives the thing, so that nobody has one that is not open; `__aexit__` is
 * the method `[Symbol.asyncDispose]`. It is not told of an error: `try` and `catch` are for that. A name from
 * `mktemp()`, as the tutorial uses, can be taken by somebody else before it is opened; a folder of one's own cannot.
 */
import { mkdtemp, open, rm, type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { sleep } from 'standpipe/concurrency'

class DatabaseConnection implements AsyncDisposable {
  #isConnected = true

  private constructor() {}

  static async open(address: string): Promise<DatabaseConnection> {
    console.log(`connecting to ${address}`)
    await sleep(10)
    return new DatabaseConnection()
  }

  async execute(query: string): Promise<string> {
    if (!this.#isConnected) throw new Error('the database is not connected')
    console.log(`executing ${query}`)
    await sleep(20)
    return `result of ${query}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    console.log('closing the connection')
    await sleep(10)
    this.#isConnected = false
  }
}

class ManagedFile implements AsyncDisposable {
  readonly #file: string
  readonly handle: FileHandle

  private constructor(file: string, handle: FileHandle) {
    this.#file = file
    this.handle = handle
  }

  static async open(file: string, flags: string): Promise<ManagedFile> {
    console.log(`opening ${path.basename(file)}`)
    return new ManagedFile(file, await open(file, flags))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.handle.close()
    console.log(`closing ${path.basename(this.#file)}`)
  }
}

{
  await using database = await DatabaseConnection.open('postgresql://localhost:5432/mydb')
  console.log(await database.execute('SELECT * FROM users'))
  console.log(await database.execute('SELECT * FROM orders'))
}

try {
  await using database = await DatabaseConnection.open('postgresql://localhost:5432/mydb')
  await database.execute('SELECT 1')
  throw new Error('the rows are of no use')
} catch (error) {
  console.log(`after the connection was closed: ${String(error)}`)
}

const folder = await mkdtemp(path.join(tmpdir(), 'standpipe-example-'))
try {
  const name = path.join(folder, 'greeting.txt')
  {
    await using file = await ManagedFile.open(name, 'w')
    await file.handle.write('Hello, async world!\n')
    await file.handle.write('This is a file.\n')
  }
  {
    await using file = await ManagedFile.open(name, 'r')
    console.log(`content: ${JSON.stringify(await file.handle.readFile('utf8'))}`)
  }
} finally {
  await rm(folder, { recursive: true })
}

// Prints:
// connecting to postgresql://localhost:5432/mydb
// executing SELECT * FROM users
// result of SELECT * FROM users
// executing SELECT * FROM orders
// result of SELECT * FROM orders
// closing the connection
// connecting to postgresql://localhost:5432/mydb
// executing SELECT 1
// closing the connection
// after the connection was closed: Error: the rows are of no use
// opening greeting.txt
// closing greeting.txt
// opening greeting.txt
// content: "Hello, async world!\nThis is a file.\n"
// closing greeting.txt
