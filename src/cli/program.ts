/** The program that commander runs: its name, its commands, and how it ends on a bad command line. */
import { Command } from 'commander'
import { defineConnect } from './connect-command.js'
import { defineEcho } from './echo-command.js'
import { defineHttp } from './http-command.js'
import { defineProxy } from './proxy-command.js'

/**
 * Makes the program. Its `parseAsync` rejects where commander by itself would exit, after help and version too,
 * which `printHelp` is given.
 */
export function createProgram(version: string, printHelp: (text: string) => void): Command {
  const program = new Command('standpipe')
    .description(
      'TCP and Unix sockets with the streams of asyncio: a line-echo server, a client, a small HTTP server and a fault proxy.',
    )
    .version(version)
    .exitOverride()
    .configureOutput({ writeOut: printHelp, outputError: () => {} })
  defineEcho(program)
  defineConnect(program)
  defineHttp(program)
  defineProxy(program)
  return program
}
