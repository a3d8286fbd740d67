/**
 * Joins a connection with a person at a terminal: the session of `connect` where stdin and stdout are one.
 *
 *     a line is entered → writer
 *     Ctrl+D            → our half is ended, the peer is waited for
 *     the peer          → its lines, above the prompt; its unfinished line, as the prompt
 *     the peer's end    → the end of the session
 *
 * However it ends, the terminal is as it was before. Nothing here has a deadline.
 */
import type { ReadStream, WriteStream } from 'node:tty'
import { raceAbort } from '../concurrency/abort.js'
import { deferred, unobserved } from '../concurrency/deferred.js'
import { SlowConsumerError } from '../errors.js'
import { describeAddress, type Connection } from '../protocol/connection.js'
import { MOST_LINES, type History } from './history.js'
import { beforeDeadlySignal, Interruption } from './interruption.js'
import { LinePrompt } from './line-prompt.js'
import { PeerText } from './peer-text.js'
import { InputError, type Output } from './stdio.js'
import { StuckPeerError } from './stuck-peer-error.js'

/** After Ctrl+D a peer that has not ended by then is said to be waited for. */
const QUIET_WAIT_MS = 1000

/** The peer asks for what belongs into no history. */
const ASKS_FOR_SECRET = /pass(?:word|phrase|code)|secret|token|\bpin\b/i

export interface TerminalSessionOptions {
  input: ReadStream
  screen: WriteStream
  output: Output
  history: History
  /** Ends the session with its reason. */
  signal: AbortSignal
  /** What is sent behind each line. @default '\n' */
  lineEnd?: string
}

/**
 * Runs until the peer has ended and what was entered has left.
 *
 * @throws BrokenError when the peer resets, or does not take all that was entered
 * @throws Interruption on Ctrl+C
 * @throws TimeoutError when a deadline of the connection has passed
 * @throws StuckPeerError when more waits for the peer than the writer takes. Keys are read on until then, since
 *   Ctrl+C is one of them.
 * @throws InputError, OutputError
 */
export async function runTerminalSession(
  connection: Connection,
  { signal, output, history, lineEnd = '\n', ...terminal }: TerminalSessionOptions,
): Promise<void> {
  const { reader, writer } = connection
  const peer = describeAddress(connection.remote)
  const text = new PeerText()
  const failure = deferred<never>()
  void unobserved(failure.promise)
  let quietWait: NodeJS.Timeout | undefined

  const prompt = new LinePrompt({
    ...terminal,
    output,
    history: history.lines,
    historySize: MOST_LINES,
    question: () => text.unfinished,
    mayRecall: () => !isSecret(),
    onLine: (line) => {
      if (!isSecret()) history.add(line)
      text.breakOff()
      send(`${line}${lineEnd}`)
    },
    onEnd: () => {
      text.breakOff()
      if (!writer.isClosing) writer.writeEof()
      quietWait = setTimeout(() => {
        prompt.say(`standpipe connect: waiting for ${peer} to end (Ctrl+C leaves)`)
      }, QUIET_WAIT_MS)
    },
    onInterrupt: () => {
      failure.reject(new Interruption('SIGINT'))
    },
    onError: (error) => {
      failure.reject(new InputError(error))
    },
  })

  const isSecret = (): boolean => ASKS_FOR_SECRET.test(text.unfinished)

  const send = (line: string): void => {
    try {
      writer.write(line)
    } catch (error) {
      // The reader tells of a broken connection as well, and only after what had arrived before.
      if (error instanceof SlowConsumerError) {
        failure.reject(new StuckPeerError(peer, writer.bufferedBytes))
      }
    }
  }

  const receive = async (): Promise<void> => {
    for (let chunk; (chunk = await reader.read()) !== null;) {
      const lines = text.feed(chunk)
      await prompt.print(prompt.isClosed ? lines + text.takeUnfinished() : lines)
    }
    await prompt.print(text.end())
    prompt.close()
  }

  const unlessFailed = <T>(promise: Promise<T>): Promise<T> =>
    raceAbort(Promise.race([promise, failure.promise, output.failure]), signal)

  const callOff = beforeDeadlySignal(() => {
    prompt.close()
  })
  try {
    await unlessFailed(receive())
    if (!writer.isClosing) {
      prompt.say(`standpipe connect: ${peer} has ended the connection`)
      writer.writeEof()
    }
    await unlessFailed(writer.waitClosed())
  } catch (error) {
    // A terminal that is not raw has shown ^C by itself.
    const isCtrlC = error instanceof Interruption && error.signal === 'SIGINT'
    if (isCtrlC && error === signal.reason && prompt.isClosed) await prompt.print('\n')
    throw error
  } finally {
    clearTimeout(quietWait)
    prompt.close()
    callOff()
  }
}
