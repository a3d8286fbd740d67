import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')

/** Collects all garbage now, as `gc()` does under --expose-gc. */
export const collectGarbage = runInNewContext('gc') as () => void
