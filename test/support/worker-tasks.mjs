/** The tasks of the tests of worker loops. They run in a thread, so they are JavaScript that Node 20 can load. */
import { threadId, workerData } from 'node:worker_threads'

let running = 0
let most = 0
let release = () => {}

export const constant = 42

export function add([a, b]) {
  return a + b
}

export function whereAmI() {
  return { threadId, workerData }
}

export function mostAtATime() {
  return most
}

/** Goes on until `letGo` is called, and hears nothing. */
export async function hold(value) {
  most = Math.max(most, ++running)
  const gate = new Promise((resolve) => {
    const before = release
    release = () => {
      before()
      resolve()
    }
  })
  await gate
  running--
  return value
}

export function letGo() {
  release()
  release = () => {}
}

let heard

/** Goes on until its signal aborts. */
export function heed(_input, signal) {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      heard = signal.reason
      reject(signal.reason)
    })
  })
}

/** The reason of the latest abort. */
export function whatWasHeard() {
  return heard instanceof Error ? `${heard.name}: ${heard.message}` : heard
}

export function fail(kind) {
  switch (kind) {
    case 'type':
      throw Object.assign(new TypeError('not a pipe'), { code: 'ERR_PIPE', errno: -7, deep: {} })
    case 'named': {
      class PipeError extends Error {
        name = 'PipeError'
      }
      throw new PipeError('bent', { cause: new RangeError('too far', { cause: 'the wind' }) })
    }
    case 'several':
      throw new AggregateError([new Error('one'), 'two'], 'both')
    case 'value':
      throw { plain: true }
    case 'symbol':
      throw Symbol('odd')
    default:
      throw new Error('boom')
  }
}

export function notCloneable() {
  return () => {}
}

export function size(buffer) {
  return buffer.byteLength
}

export function spin() {
  for (;;);
}

export function crash() {
  setImmediate(() => {
    throw Object.assign(new Error('the floor gave way'), { code: 'ERR_FLOOR' })
  })
  return new Promise(() => {})
}

export function leave(code) {
  process.exit(code)
}

/** Calls back before the thread exits by itself. */
export function sayAtExit(port) {
  process.on('exit', () => port.postMessage('bye'))
}
