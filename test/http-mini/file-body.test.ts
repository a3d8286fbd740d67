import { readdirSync, statSync } from 'node:fs'
import { rename, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { BLOCK_BYTES, FileBody, type FileIdentity } from '../../src/http-mini/file-body.js'
import { rejection } from '../support/settled.js'
import { temporaryFolder } from '../support/wire.js'

async function fileOf(bytes: Uint8Array): Promise<FileIdentity> {
  const path = join(await temporaryFolder(), 'file')
  await writeFile(path, bytes)
  const { dev, ino } = await stat(path, { bigint: true })
  return { path, dev, ino }
}

async function collect(body: FileBody): Promise<Buffer> {
  const blocks: Uint8Array[] = []
  for await (const block of body) blocks.push(block)
  return Buffer.concat(blocks)
}

/** How many descriptors of this process lead to the file. */
function openDescriptors({ path }: FileIdentity): number {
  const { ino } = statSync(path)
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return statSync(`/proc/self/fd/${fd}`).ino === ino
    } catch {
      return false
    }
  }).length
}

const counted = (length: number): Buffer => Buffer.from(Array.from({ length }, (_, at) => at % 251))

describe('FileBody', () => {
  it('gives ranges and bytes in their order, and knows its length before', async () => {
    const bytes = counted(1000)
    const body = new FileBody(await fileOf(bytes), [
      Buffer.from('<'),
      { start: 10, end: 20 },
      Buffer.from('|'),
      { start: 999, end: 1000 },
      { start: 5, end: 5 },
      Buffer.from('>'),
    ])
    expect(body.length).toBe(14)
    const expected = [
      Buffer.from('<'),
      bytes.subarray(10, 20),
      Buffer.from('|'),
      bytes.subarray(999),
      Buffer.from('>'),
    ]
    expect(await collect(body)).toEqual(Buffer.concat(expected))
  })

  it('reads a large file block by block', async () => {
    const bytes = counted(3 * BLOCK_BYTES + 7)
    const file = await fileOf(bytes)
    const body = new FileBody(file, [{ start: 1, end: bytes.length }])
    const sizes: number[] = []
    for await (const block of body) sizes.push(block.length)
    expect(sizes).toEqual([BLOCK_BYTES, BLOCK_BYTES, BLOCK_BYTES, 6])
    expect(await collect(body)).toEqual(bytes.subarray(1))
    expect(openDescriptors(file)).toBe(0)
  })

  it('opens the file when the first block is wanted, and closes it when the loop is left', async () => {
    const file = await fileOf(counted(2 * BLOCK_BYTES))
    const body = new FileBody(file, [{ start: 0, end: 2 * BLOCK_BYTES }])
    expect(openDescriptors(file)).toBe(0)
    const blocks = body[Symbol.asyncIterator]()
    await blocks.next()
    expect(openDescriptors(file)).toBe(1)
    await blocks.return()
    expect(openDescriptors(file)).toBe(0)
  })

  it('throws when the file has become too short, and pads nothing', async () => {
    const file = await fileOf(counted(2 * BLOCK_BYTES))
    const blocks = new FileBody(file, [{ start: 0, end: 2 * BLOCK_BYTES }])[Symbol.asyncIterator]()
    await blocks.next()
    await truncate(file.path, BLOCK_BYTES + 5)
    expect((await blocks.next()).value).toHaveLength(5)
    expect(await rejection(blocks.next())).toMatchObject({
      message: `send ${file.path}: the file became shorter while it was sent`,
    })
    expect(openDescriptors(file)).toBe(0)
  })

  it('throws when there is another file by that name', async () => {
    const file = await fileOf(counted(10))
    await writeFile(`${file.path}.new`, counted(10))
    await rename(`${file.path}.new`, file.path)
    const error = await rejection(collect(new FileBody(file, [{ start: 0, end: 10 }])))
    expect(error).toMatchObject({
      message: `send ${file.path}: the file was replaced before it was sent`,
    })
    expect(openDescriptors(file)).toBe(0)
  })

  it('throws what the system says when there is none', async () => {
    const file = await fileOf(counted(10))
    await rename(file.path, `${file.path}.gone`)
    const error = await rejection(collect(new FileBody(file, [{ start: 0, end: 10 }])))
    expect(error).toMatchObject({ code: 'ENOENT' })
  })
})
