// Tries to listen with the built library as a user who may not, on a Unix socket in a folder where only its owner may
// make files. It prints the error, or `listening`.
import { startServer } from '../../../dist/index.js'

if (process.getuid() === 0) process.setuid(65534)
try {
  const server = await startServer(() => {}, { path: process.argv[2], logger: false })
  console.log(JSON.stringify({ listening: server.address }))
  await server.stop()
} catch (error) {
  const { name, code, message, address, cause } = error
  const listeners = process.getActiveResourcesInfo().filter((kind) => /ServerWrap/.test(kind))
  console.log(JSON.stringify({ name, code, message, address, errno: cause?.code, listeners }))
}
