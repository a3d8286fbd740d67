/** A thread that blocks as long as it is told to, and ends. */
import { parentPort, workerData } from 'node:worker_threads'
import { blockFor } from './blocking-work.js'

parentPort?.postMessage(blockFor(workerData as number))
