// Tells the runner the port, and the CPU time used so far whenever it asks.
export function reportCpu(port) {
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send({ cpuMicros: user + system, rssBytes: process.memoryUsage.rss() })
  })
  process.on('disconnect', () => process.exit(0))
  process.send({ port })
}
