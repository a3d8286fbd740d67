#!/usr/bin/env node
/** The command line `standpipe`: runs one command, explains what went wrong, and leaves with the exit code. */
import { readFileSync } from 'node:fs'
import { CommanderError } from 'commander'
import { explain } from './messages.js'
import { createProgram } from './program.js'
import { ignoreBrokenStderr, leave, openStdout, printWords } from './stdio.js'

async function main(words: readonly string[]): Promise<void> {
  ignoreBrokenStderr()
  let help = ''
  const program = createProgram(readVersion(), (text) => {
    help += text
  })
  try {
    await program
      .parseAsync(words.length === 0 ? ['--help'] : words, { from: 'user' })
      .catch((error: unknown) => (isHelp(error) ? print(help) : Promise.reject(error as Error)))
  } catch (error) {
    const command = program.commands.find((one) => one.name() === words[0])
    const { line, exitCode } = explain(error, command?.name())
    if (line !== undefined) printWords(line)
    process.exitCode = exitCode
  }
  await leave()
}

/** Help and version are errors to commander as well. */
function isHelp(error: unknown): boolean {
  return error instanceof CommanderError && error.exitCode === 0
}

async function print(text: string): Promise<void> {
  const stdout = openStdout()
  await stdout.write(text)
  await stdout.flush()
}

function readVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}

void main(process.argv.slice(2))
