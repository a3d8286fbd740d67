/** What the session does that no terminal is needed for. */
import { PassThrough } from 'node:stream'
import type { ReadStream, WriteStream } from 'node:tty'
import { describe, expect, test } from 'vitest'
import { History } from '../../src/cli/history.js'
import { Interruption } from '../../src/cli/interruption.js'
import type { Output } from '../../src/cli/stdio.js'
import { StuckPeerError } from '../../src/cli/stuck-peer-error.js'
import { runTerminalSession, type TerminalSessionOptions } from '../../src/cli/terminal-session.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { hasRead, receiveAll, send, wire } from '../support/wire.js'

guardAgainstLeaks()

interface FakeTerminal extends TerminalSessionOptions {
  input: ReadStream
  /** Whether keys come one by one. */
  readonly raw: { is: boolean }
  readonly ends: AbortController
  printed: () => string
}

function fakeTerminal(): FakeTerminal {
  const raw = { is: false }
  const input = Object.assign(new PassThrough(), {
    setRawMode: (is: boolean) => {
      raw.is = is
    },
  }) as unknown as ReadStream
  let printed = ''
  const screen = new PassThrough()
  screen.resume()
  const output: Output = {
    write: (text) => {
      printed += String(text)
      return Promise.resolve()
    },
    flush: () => Promise.resolve(),
    failure: new Promise(() => {}),
  }
  const ends = new AbortController()
  return {
    input,
    screen: screen as unknown as WriteStream,
    output,
    history: new History(undefined, () => {}),
    signal: ends.signal,
    raw,
    ends,
    printed: () => printed,
  }
}

describe('runTerminalSession()', () => {
  test('sends the line end that it is told to', async () => {
    const { connection, peer } = await wire('memory')
    const terminal = fakeTerminal()
    const session = runTerminalSession(connection, { ...terminal, lineEnd: '\r\n' })
    terminal.input.push('a\rb\r\x04')
    expect((await receiveAll(peer)).bytes.toString()).toBe('a\r\nb\r\n')
    peer.end()
    await session
    expect(terminal.raw.is).toBe(false)
  })

  test('ends when more is entered than waits for a peer that takes nothing', async () => {
    const limits = { highWaterMark: 100, lowWaterMark: 10, maxBufferedBytes: 1000 }
    const { connection } = await wire('memory', limits)
    const terminal = fakeTerminal()
    const session = runTerminalSession(connection, terminal)
    terminal.input.push(`${'x'.repeat(500)}\r`.repeat(4))
    await expect(session).rejects.toThrow(StuckPeerError)
    await expect(session).rejects.toThrow(/takes nothing, and 1002 bytes wait for it/)
    expect(terminal.raw.is).toBe(false)
  })

  test('ends with the reason of its signal', async () => {
    const { connection } = await wire('memory')
    const terminal = fakeTerminal()
    const session = runTerminalSession(connection, terminal)
    expect(terminal.raw.is).toBe(true)
    const reason = new Interruption('SIGTERM')
    terminal.ends.abort(reason)
    await expect(session).rejects.toBe(reason)
    expect(terminal.raw.is).toBe(false)
  })

  test('shows all that had arrived before a reset, although a line could not be sent', async () => {
    const { connection, peer } = await wire('tcp')
    const terminal = fakeTerminal()
    await send(peer, 'last words\n')
    await hasRead(connection, 11)
    peer.resetAndDestroy?.()
    await connection.closed
    const session = runTerminalSession(connection, terminal)
    terminal.input.push('too late\r')
    await expect(session).rejects.toThrow('reset')
    expect(terminal.printed()).toContain('last words\n')
  })
})
