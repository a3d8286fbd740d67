/** `--hex`: what goes and what comes as rows, whatever the bytes are. */
import { describe, expect, test } from 'vitest'
import { HexRows } from '../../src/cli/hex-view.js'
import { bareServer } from '../support/bare-server.js'
import { runCommand, startCommand, startEcho, startShell } from '../support/command.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'

guardAgainstLeaks()

describe('HexRows', () => {
  test('lays sixteen bytes in a row, in two groups, and counts the offset on', () => {
    const rows = new HexRows('<')
    expect(rows.next(Buffer.from('Server received: Hello\n'))).toBe(
      '< 00000000  53 65 72 76 65 72 20 72  65 63 65 69 76 65 64 3a  |Server received:|\n' +
        '< 00000010  20 48 65 6c 6c 6f 0a                              | Hello.|\n',
    )
    expect(rows.next(Buffer.from('12345678'))).toBe(
      '< 00000017  31 32 33 34 35 36 37 38                           |12345678|\n',
    )
    expect(rows.next(Buffer.from('123456789'))).toBe(
      '< 0000001f  31 32 33 34 35 36 37 38  39                       |123456789|\n',
    )
  })

  test('shows every byte, and none but printable ASCII as it is', () => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
    const shown = new HexRows('>').next(all)
    expect(shown.match(/^> [0-9a-f]{8} {2}[0-9a-f ]{49} \|[ -~]{16}\|\n/gm)).toHaveLength(16)
    const bytes = shown.split('\n').flatMap((row) => row.slice(12, 61).match(/\S\S/g) ?? [])
    expect(Buffer.from(bytes.join(''), 'hex')).toEqual(all)
  })

  test('of nothing are none', () => {
    expect(new HexRows('>').next(Buffer.alloc(0))).toBe('')
  })
})

describe('standpipe connect --hex', () => {
  test('shows both directions, what goes before what comes of it', async () => {
    const { address } = await startEcho(['--prefix', ''])
    const { code, stdout, stderr } = await runCommand(['connect', address, '--hex'], {
      input: 'a\0\xff\n',
    })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const row = '00000000  61 00 c3 bf 0a                                    |a....|'
    expect(stdout.toString()).toBe(`> ${row}\n< ${row}\n`)
  })

  test('shows what goes as it goes, with --crlf too', async () => {
    const server = await bareServer()
    const command = startCommand(['connect', server.address, '--hex', '--crlf'])
    command.child.stdin?.write('a\n')
    await command.prints(/^> 00000000 {2}61 0d 0a /)
    command.child.stdin?.write('b\n')
    await command.prints(/^> 00000003 {2}62 0d 0a /m)
    const socket = await server.accept()
    socket.end('\u001b[2J')
    const { code, stdout } = await command.ended
    expect(code).toBe(0)
    expect(stdout.toString()).toMatch(/^< 00000000 {2}1b 5b 32 4a {39}\|\.\[2J\|$/m)
  })

  test('changes no byte of what goes', async () => {
    const server = await bareServer()
    const env = { ADDRESS: server.address, STANDPIPE_HEX: '1' }
    const shell = startShell('head -c 100000 /dev/zero | standpipe connect "$ADDRESS"', { env })
    const socket = await server.accept()
    let length = 0
    socket.on('data', (chunk) => (length += chunk.length))
    socket.on('end', () => socket.end())
    socket.resume()
    const { code, stdout } = await shell.ended
    expect({ code, length }).toEqual({ code: 0, length: 100_000 })
    expect(stdout.toString().match(/ 00 /g)?.length).toBeGreaterThan(6249)
  })

  test('with a stdout reader that leaves is exit 0', async () => {
    const { address } = await startEcho()
    const script =
      'yes | { standpipe connect "$ADDRESS" --hex; echo "code $?" >&2; } | head -n 1 | cut -c 1-14'
    const { stdout, stderr } = await startShell(script, { env: { ADDRESS: address } }).ended
    expect({ stdout: stdout.toString(), stderr }).toEqual({
      stdout: '> 00000000  79\n',
      stderr: 'code 0\n',
    })
  })

  test.each([
    [['--hex', '--lines'], '--lines and --hex exclude each other. Give one of the two.'],
    [['--hex', '--json'], '--json has no meaning with --hex'],
  ])('%j is exit 2', async (args, words) => {
    const { code, stderr } = await runCommand(['connect', ':1', ...args])
    expect(code).toBe(2)
    expect(stderr).toContain(words)
  })

  test('a mode on the command line wins over one in a variable', async () => {
    const { address } = await startEcho(['--prefix', ''])
    const env = { STANDPIPE_HEX: '1' }
    const { code, stdout } = await runCommand(['connect', address, '--lines'], { input: 'a', env })
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 0, stdout: 'a\n' })
  })
})
