// A server on the built library, without a logger, whose handler fails for each client. It prints its port.
import { startServer } from '../../../dist/index.js'

const server = await startServer(() => {
  throw new Error('a bug')
})
console.log(server.address.port)
process.stdin.on('end', () => void server.stop()).resume()
