/** A thread that does one piece of work, and ends. */
import { parentPort, workerData } from 'node:worker_threads'
import { sumOfSquares } from './cpu-work.js'

parentPort?.postMessage(sumOfSquares(workerData as number))
