/** The spool before a slow output: nothing lost, nothing reordered, a source that waits only at the cap. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Spool } from '../../src/cli/spool.js'
import { OutputError, type Output } from '../../src/cli/stdio.js'
import { deferred, unobserved, type Deferred } from '../../src/concurrency/deferred.js'
import { loopTurns } from '../../src/testing/fake-clock.js'
import { bareServer } from '../support/bare-server.js'
import { startCommand, startShell } from '../support/command.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { watch } from '../support/settled.js'
import { temporaryFolder } from '../support/wire.js'

guardAgainstLeaks()

const MEBIBYTE = 1024 * 1024

/** Takes one write at a time, each when it is told to. */
class SlowOutput implements Output {
  readonly #failed = deferred<never>()
  readonly failure = unobserved(this.#failed.promise)
  #taken = ''
  #write: Deferred | undefined

  write(chunk: Uint8Array | string): Promise<void> {
    if (this.#write !== undefined) throw new Error('a write before the last one was done')
    this.#taken += Buffer.from(chunk).toString()
    this.#write = deferred()
    return this.#write.promise
  }

  flush(): Promise<void> {
    return this.#write === undefined ? Promise.resolve() : this.failure
  }

  /** Everything that was given to it. */
  get taken(): string {
    return this.#taken
  }

  takeMore(): void {
    this.#write?.resolve()
    this.#write = undefined
  }

  fail(error: Error): void {
    this.#failed.reject(error)
    this.#write?.reject(error)
  }
}

describe('Spool', () => {
  test('takes writes at once below the cap, and hands them on in order', async () => {
    const output = new SlowOutput()
    const spool = new Spool(output, { maxBytes: 100 })
    for (const text of ['one ', '', 'two ', 'three']) await spool.write(text)
    expect(output.taken).toBe('one ')
    const flushed = watch(spool.flush())
    await loopTurns(1)
    output.takeMore()
    await loopTurns(1)
    expect(flushed.state).toBe('pending')
    output.takeMore()
    await flushed.promise
    expect(output.taken).toBe('one two three')
  })

  test('goes on after it was empty', async () => {
    const output = new SlowOutput()
    const spool = new Spool(output)
    for (const text of ['one ', 'two']) {
      await spool.write(text)
      output.takeMore()
      await spool.flush()
    }
    expect(output.taken).toBe('one two')
  })

  test('makes a write wait at the cap, until the output has taken some', async () => {
    const output = new SlowOutput()
    const spool = new Spool(output, { maxBytes: 4 })
    await spool.write('taken')
    await spool.write('abc')
    const waiting = [watch(spool.write('d')), watch(spool.write('e'))]
    await loopTurns(1)
    expect(waiting.map(({ state }) => state)).toEqual(['pending', 'pending'])
    output.takeMore()
    await Promise.all(waiting.map(({ promise }) => promise))
    output.takeMore()
    await spool.flush()
    expect(output.taken).toBe('takenabcde')
  })

  test('takes bytes as well as text', async () => {
    const output = new SlowOutput()
    const spool = new Spool(output)
    await spool.write(new Uint8Array(Buffer.from('bytes')))
    expect(output.taken).toBe('bytes')
  })

  test('tells a failure to each who waits, and to each who comes later', async () => {
    const output = new SlowOutput()
    const spool = new Spool(output, { maxBytes: 1 })
    const waiting = [spool.write('a'), spool.write('b'), spool.write('c')].slice(1)
    const flushed = spool.flush()
    const error = new OutputError(new Error('no'))
    const expectations = [...waiting, flushed, spool.failure].map(async (one) => {
      await expect(one).rejects.toBe(error)
    })
    output.fail(error)
    await Promise.all(expectations)
    await expect(spool.write('d')).rejects.toBe(error)
    await expect(spool.flush()).rejects.toBe(error)
  })
})

describe('standpipe connect with a stdout that is not read', () => {
  test('does not hold the peer up, and loses nothing', async () => {
    const server = await bareServer()
    const command = startCommand(['connect', server.address])
    command.child.stdout?.pause()
    const socket = await server.accept()
    const reply = randomBytes(12 * MEBIBYTE)
    // More than the kernel holds: `finish` comes only when it is read.
    socket.end(reply)
    await once(socket, 'finish')
    command.child.stdin?.end()
    command.child.stdout?.resume()
    const { code, stdout, stderr } = await command.ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout.equals(reply)).toBe(true)
  })

  test('8 MiB into a pipe whose reader comes late', async () => {
    const server = await bareServer()
    const cwd = await temporaryFolder()
    const script = `
      mkfifo go
      standpipe connect "$ADDRESS" < /dev/null | { read -r _ < go; cat; } > out`
    const shell = startShell(script, { cwd, env: { ADDRESS: server.address } })
    const socket = await server.accept()
    const reply = randomBytes(8 * MEBIBYTE)
    socket.end(reply)
    socket.resume()
    await once(socket, 'close')
    await writeFile(join(cwd, 'go'), '\n')
    expect((await shell.ended).code).toBe(0)
    expect((await readFile(join(cwd, 'out'))).equals(reply)).toBe(true)
  })
})
