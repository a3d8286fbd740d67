// What the concurrency kit and its peers are asked to do. Each scenario has the same work for all of them: a function that
// makes what is measured, and gives one that does the work once and returns what came of it, which is compared.
import { EventEmitter, on, setMaxListeners } from 'node:events'
import { Mutex as AsyncMutex, Semaphore as AsyncMutexSemaphore } from 'async-mutex'
import { Sema } from 'async-sema'
import { createPool } from 'generic-pool'
import pLimit from 'p-limit'
import PQueue from 'p-queue'
import {
  Broadcaster,
  Mutex,
  ResourcePool,
  Semaphore,
  TaskPool,
} from '../../dist/concurrency/index.js'

/** So many calls are one piece of work. */
export const CALLS = 1000
/** How many wait at once where calls wait for each other. */
const AT_ONCE = 100
const LIMIT = 10
const SUBSCRIBERS = 100

const numbers = Array.from({ length: CALLS }, (_, n) => n)

/** Waits for two promise jobs, so that those who come later have to wait. */
async function job(n) {
  await Promise.resolve()
  await Promise.resolve()
  return n
}

async function sum(promises) {
  let total = 0
  for (const n of await Promise.all(promises)) total += n
  return total
}

/** One call after the other: none waits. */
const inTurn = (call) => async () => {
  let total = 0
  for (const n of numbers) total += await call(n)
  return total
}

/** All calls at once. */
const atOnce = (call) => () => sum(numbers.map(call))

/** So many loops of calls. */
const inLoops = (call) => () =>
  sum(
    Array.from({ length: AT_ONCE }, async (_, loop) => {
      let total = 0
      for (let n = loop; n < CALLS; n += AT_ONCE) total += await call(n)
      return total
    }),
  )

const acquireOurs = (owner) => async (n) => {
  const permit = await owner.acquire()
  try {
    return await job(n)
  } finally {
    permit.release()
  }
}

const acquireSema = (limit) => {
  const sema = new Sema(limit, { capacity: AT_ONCE })
  return async (n) => {
    await sema.acquire()
    try {
      return await job(n)
    } finally {
      sema.release()
    }
  }
}

const acquireAsyncMutex = (limit) => {
  const semaphore = new AsyncMutexSemaphore(limit)
  return async (n) => {
    const [, release] = await semaphore.acquire()
    try {
      return await job(n)
    } finally {
      release()
    }
  }
}

const leaseOurs = () => {
  const pool = new ResourcePool({ max: LIMIT, create: async () => ({ uses: 0 }) })
  return async (n) => {
    const lease = await pool.acquire()
    try {
      lease.resource.uses++
      return await job(n)
    } finally {
      lease.release()
    }
  }
}

const leaseGenericPool = () => {
  const pool = createPool(
    { create: async () => ({ uses: 0 }), destroy: async () => {} },
    { max: LIMIT },
  )
  return async (n) => {
    const resource = await pool.acquire()
    try {
      resource.uses++
      return await job(n)
    } finally {
      await pool.release(resource)
    }
  }
}

const submitOurs = () => {
  const pool = new TaskPool({ limit: LIMIT })
  return (n) => pool.submit(() => job(n))
}

const submitPLimit = () => {
  const limit = pLimit(LIMIT)
  return (n) => limit(() => job(n))
}

const submitPQueue = () => {
  const queue = new PQueue({ concurrency: LIMIT })
  return (n) => queue.add(() => job(n))
}

const { signal } = new AbortController()
// p-queue adds a listener for each task that waits, of which Node would warn.
setMaxListeners(0, signal)

const broadcastOurs = () => {
  const broadcaster = new Broadcaster()
  const totals = Array.from({ length: SUBSCRIBERS }, async () => {
    let total = 0
    for await (const n of broadcaster.subscribe({ capacity: CALLS })) total += n
    return total
  })
  for (const n of numbers) broadcaster.publish(n)
  broadcaster.close()
  return sum(totals)
}

const broadcastEvents = () => {
  const emitter = new EventEmitter().setMaxListeners(0)
  const totals = Array.from({ length: SUBSCRIBERS }, async () => {
    let total = 0
    for await (const [n] of on(emitter, 'message', { close: ['end'] })) total += n
    return total
  })
  for (const n of numbers) emitter.emit('message', n)
  emitter.emit('end')
  return sum(totals)
}

/** The first of each is the one of the kit. Those that are called with a function are not compared with those that are not. */
export const scenarios = {
  'permits, free': {
    'standpipe Semaphore': () => inTurn(acquireOurs(new Semaphore(LIMIT))),
    'async-sema': () => inTurn(acquireSema(LIMIT)),
    'async-mutex Semaphore': () => inTurn(acquireAsyncMutex(LIMIT)),
  },
  'permits, 100 loops on 10': {
    'standpipe Semaphore': () => inLoops(acquireOurs(new Semaphore(LIMIT))),
    'async-sema': () => inLoops(acquireSema(LIMIT)),
    'async-mutex Semaphore': () => inLoops(acquireAsyncMutex(LIMIT)),
  },
  'permits, 100 loops on 1': {
    'standpipe Mutex': () => inLoops(acquireOurs(new Mutex())),
    'async-sema': () => inLoops(acquireSema(1)),
    'async-mutex Semaphore': () => inLoops(acquireAsyncMutex(1)),
  },
  'functions under a lock, 100 loops': {
    'standpipe Mutex': () => {
      const mutex = new Mutex()
      return inLoops((n) => mutex.use(() => job(n)))
    },
    'async-mutex Mutex': () => {
      const mutex = new AsyncMutex()
      return inLoops((n) => mutex.runExclusive(() => job(n)))
    },
    'p-limit of 1': () => {
      const limit = pLimit(1)
      return inLoops((n) => limit(() => job(n)))
    },
  },
  'tasks, free': {
    'standpipe TaskPool': () => inTurn(submitOurs()),
    'p-limit': () => inTurn(submitPLimit()),
    'p-queue': () => inTurn(submitPQueue()),
  },
  'tasks, 1000 at once on 10': {
    'standpipe TaskPool': () => atOnce(submitOurs()),
    'p-limit': () => atOnce(submitPLimit()),
    'p-queue': () => atOnce(submitPQueue()),
  },
  'tasks with a signal, 1000 at once on 10': {
    'standpipe TaskPool': () => {
      const pool = new TaskPool({ limit: LIMIT })
      return atOnce((n) => pool.submit(() => job(n), { signal }))
    },
    'p-queue': () => {
      const queue = new PQueue({ concurrency: LIMIT })
      return atOnce((n) => queue.add(() => job(n), { signal }))
    },
  },
  'resources, free': {
    'standpipe ResourcePool': () => inTurn(leaseOurs()),
    'generic-pool': () => inTurn(leaseGenericPool()),
  },
  'resources, 100 loops on 10': {
    'standpipe ResourcePool': () => inLoops(leaseOurs()),
    'generic-pool': () => inLoops(leaseGenericPool()),
  },
  'a message to 100 loops': {
    'standpipe Broadcaster': () => broadcastOurs,
    'events.on()': () => broadcastEvents,
  },
}

/** What a piece of work gives when all calls have been made, and each once. */
export function expectedOf(name) {
  const total = (CALLS * (CALLS - 1)) / 2
  return name === 'a message to 100 loops' ? total * SUBSCRIBERS : total
}
