/** `asyncio.start_unix_server()` and `open_unix_connection()`: a path in place of host and port. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { lineEcho, openConnection, startServer } from 'standpipe'

const folder = await mkdtemp(path.join(tmpdir(), 'standpipe-example-'))
try {
  const server = await startServer(lineEcho(), { path: path.join(folder, 'echo.sock') })
  console.log(`listening on ${path.basename(server.address.path)}`)
  {
    await using connection = await openConnection({ path: server.address.path })
    connection.writer.write('Hello\n')
    console.log(await connection.reader.readLine())
  }
  await server.stop()
} finally {
  await rm(folder, { recursive: true })
}

// Prints:
// listening on echo.sock
// Server received: Hello
