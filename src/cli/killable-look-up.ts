/**
 * Looks a name up in a process of its own, which can be killed.
 *
 * The system's look-up cannot be cancelled, and `process.exit()` waits for it: with a name server that does not
 * answer the command would hang for seconds after it has printed its message (Node 20 to 26). The process costs a
 * name some 40 ms; addresses never come here, and `localhost` is answered from a file.
 */
import { execFile } from 'node:child_process'
import { lookup, type LookupAddress } from 'node:dns'
import type { LookupFunction } from 'node:net'

const SCRIPT = `const options = { all: true, hints: Number(process.argv[2]) }
require('node:dns').lookup(process.argv[1], options, (error, addresses) => {
  process.stdout.write(JSON.stringify(error === null ? { addresses } : { code: error.code }))
})`

type Answer = { addresses: LookupAddress[] } | { code: string }

/** `dns.lookup`, of which nothing is left when the process exits. */
export const killableLookUp: LookupFunction = (host, options, callback) => {
  if (host === 'localhost') {
    lookup(host, options, callback)
    return
  }
  const args = ['-e', SCRIPT, '--', host, String(options.hints ?? 0)]
  const child = execFile(process.execPath, args, (failure, stdout) => {
    process.removeListener('exit', kill)
    if (child.pid === undefined) {
      // No process can be had: better a look-up that may hold the exit than none.
      lookup(host, options, callback)
      return
    }
    // Ctrl+C reaches every process of the terminal: ours ends for the same reason, and says so by itself.
    if (child.signalCode !== null) return
    const answer: Answer = failure === null ? (JSON.parse(stdout) as Answer) : { code: 'EAI_FAIL' }
    if ('code' in answer) {
      const error = new Error(`getaddrinfo ${answer.code} ${host}`)
      callback(Object.assign(error, { code: answer.code, syscall: 'getaddrinfo' }), [])
      return
    }
    const [first] = answer.addresses
    if (options.all === true || first === undefined) callback(null, answer.addresses)
    else callback(null, first.address, first.family)
  })
  const kill = (): void => {
    child.kill('SIGKILL')
  }
  process.once('exit', kill)
}
