// A program whose coverage is taken while a LoopMonitor locates slow turns: prints how often a function was called.
import { Session } from 'node:inspector'
import { LoopMonitor } from '../../../dist/observe/index.js'

const session = new Session()
session.connect()
session.post('Profiler.enable')
session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })

const monitor = new LoopMonitor({ slowTurnMs: 20, locate: true, logger: false }).start()
for (const end = performance.now() + 40; performance.now() < end;);
monitor.stop()

function countedFunction(n) {
  return n + 1
}
for (let n = 0; n < 7; n++) countedFunction(n)

session.post('Profiler.takePreciseCoverage', (error, answer) => {
  if (error !== null) throw error
  const functions = answer.result.flatMap((script) => script.functions)
  const found = functions.find(({ functionName }) => functionName === 'countedFunction')
  console.log(found?.ranges[0]?.count)
})
