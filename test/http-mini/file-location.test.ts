import { mkdir, realpath, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { locate } from '../../src/http-mini/file-location.js'
import { rejection } from '../support/settled.js'
import { temporaryFolder } from '../support/wire.js'

/** root/{a.txt,dir/b.txt,.hidden,.git/config}, beside root: secret.txt and root-2/c.txt. */
let base: string
let root: string

beforeEach(async () => {
  base = await realpath(await temporaryFolder())
  root = join(base, 'root')
  await mkdir(join(root, 'dir'), { recursive: true })
  await mkdir(join(root, '.git'))
  await mkdir(join(base, 'root-2'))
  for (const name of ['root/a.txt', 'root/dir/b.txt', 'root/.hidden', 'root/.git/config']) {
    await writeFile(join(base, name), name)
  }
  await writeFile(join(base, 'secret.txt'), 'secret')
  await writeFile(join(base, 'root-2/c.txt'), 'another')
})

const find = (path: string, allowHidden = false): Promise<string | undefined> =>
  locate(root, path === '' ? [] : path.split('/'), allowHidden)

describe('locate()', () => {
  it('finds files and folders below the folder, and the folder itself', async () => {
    expect(await find('a.txt')).toBe(join(root, 'a.txt'))
    expect(await find('dir/b.txt')).toBe(join(root, 'dir/b.txt'))
    expect(await find('dir')).toBe(join(root, 'dir'))
    expect(await find('')).toBe(root)
  })

  it.each([
    '..',
    '../secret.txt',
    'dir/../../secret.txt',
    'dir/../a.txt',
    './a.txt',
    'dir//b.txt',
    'dir/',
    '/a.txt',
    'a.txt\0',
    'a.txt\0.html',
    '..\\secret.txt',
    'dir\\b.txt',
    'missing',
    'a.txt/more',
    'x'.repeat(300),
    '.hidden',
    '.git/config',
    '...',
  ])('has nothing for %j', async (path) => {
    expect(await find(path)).toBeUndefined()
  })

  it('has nothing for a segment with a slash in it, which came encoded', async () => {
    expect(await locate(root, ['../secret.txt'], true)).toBeUndefined()
    expect(await locate(root, ['dir/b.txt'], true)).toBeUndefined()
  })

  it('has hidden files where they are allowed', async () => {
    expect(await find('.hidden', true)).toBe(join(root, '.hidden'))
    expect(await find('.git/config', true)).toBe(join(root, '.git/config'))
    expect(await find('..', true)).toBeUndefined()
  })

  it('follows links inside, and none that leave', async () => {
    await symlink('dir/b.txt', join(root, 'inside.txt'))
    await symlink('../root/dir', join(root, 'round'))
    await symlink('../secret.txt', join(root, 'outside.txt'))
    await symlink(join(base, 'secret.txt'), join(root, 'absolute.txt'))
    await symlink('..', join(root, 'up'))
    await symlink('../root-2', join(root, 'sibling'))
    await symlink('loop', join(root, 'loop'))
    await symlink('missing', join(root, 'dangling'))
    expect(await find('inside.txt')).toBe(join(root, 'dir/b.txt'))
    expect(await find('round/b.txt')).toBe(join(root, 'dir/b.txt'))
    for (const path of [
      'outside.txt',
      'absolute.txt',
      'up/secret.txt',
      'up',
      'sibling/c.txt',
      'loop',
      'dangling',
    ]) {
      expect(await find(path, true)).toBeUndefined()
    }
    expect(await find('up/root/a.txt')).toBe(join(root, 'a.txt'))
  })

  it('does not follow a link to what is hidden', async () => {
    await symlink('.git/config', join(root, 'config.txt'))
    expect(await find('config.txt')).toBeUndefined()
    expect(await find('config.txt', true)).toBe(join(root, '.git/config'))
  })

  it('follows the folder itself when it is a link, to wherever it leads by then', async () => {
    const current = join(base, 'current')
    await symlink('root-2', current)
    expect(await locate(current, ['c.txt'], false)).toBe(join(base, 'root-2/c.txt'))
    expect(await locate('/', base.slice(1).split('/'), true)).toBe(base)
  })

  it('rejects when the folder is gone', async () => {
    expect(await rejection(locate(join(base, 'gone'), ['a'], false))).toMatchObject({
      code: 'ENOENT',
    })
  })
})
