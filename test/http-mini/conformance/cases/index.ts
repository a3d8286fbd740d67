/** The whole table, by topic. */
import type { HttpCase } from '../http-case.js'
import { chunkedCases } from './chunked.js'
import { contentLengthCases } from './content-length.js'
import { cveCases } from './cves.js'
import { expectCases } from './expect.js'
import { fieldCases } from './fields.js'
import { hostCases } from './host.js'
import { limitCases } from './limits.js'
import { persistenceCases } from './persistence.js'
import { pipeliningCases } from './pipelining.js'
import { requestLineCases } from './request-line.js'
import { responseCases } from './responses.js'
import { smugglingCases } from './smuggling.js'
import { targetCases } from './targets.js'
import { trailerCases } from './trailers.js'
import { transferEncodingCases } from './transfer-encoding.js'
import { versionCases } from './versions.js'

export const topics: readonly (readonly [topic: string, cases: readonly HttpCase[]])[] = [
  ['request line', requestLineCases],
  ['versions', versionCases],
  ['targets', targetCases],
  ['Host', hostCases],
  ['field lines', fieldCases],
  ['Content-Length', contentLengthCases],
  ['Transfer-Encoding', transferEncodingCases],
  ['chunked', chunkedCases],
  ['trailers', trailerCases],
  ['Expect', expectCases],
  ['persistence', persistenceCases],
  ['pipelining', pipeliningCases],
  ['limits', limitCases],
  ['answers', responseCases],
  ['known attacks', cveCases],
  ['smuggling', smugglingCases],
]
