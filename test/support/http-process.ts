/** `programs/http-server.mjs`, which runs the build: for what is measured of a process. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { runProgram } from './programs.js'

export interface HttpProcessStatus {
  readonly rss: number
  /** The most that was seen. */
  readonly mostRss: number
  readonly open: number
  readonly accepted: number
}

export interface HttpProcess {
  readonly port: number
  readonly status: () => Promise<HttpProcessStatus>
}

/** @param document the file that it serves as `/document` */
export async function startHttpProcess(document = ''): Promise<HttpProcess> {
  const built = fileURLToPath(new URL('../../dist/http-mini/index.js', import.meta.url))
  if (!existsSync(built)) throw new Error('there is no build: run `npm run build` first')
  const program = runProgram('http-server.mjs', [document])
  const { port } = JSON.parse(await program.nextLine()) as { port: number }
  return {
    port,
    async status() {
      program.child.stdin.write('status\n')
      return JSON.parse(await program.nextLine()) as HttpProcessStatus
    },
  }
}
