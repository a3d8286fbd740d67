// `node --import ./tools/typescript.mjs PROGRAM.ts` runs a TypeScript program; worker threads that it starts can be of
// TypeScript as well.
import * as nodeModule from 'node:module'
import * as hooks from './typescript-hooks.mjs'

// Node 20 has `register` alone, and the newest lines warn of it.
if (nodeModule.registerHooks) nodeModule.registerHooks(hooks)
else nodeModule.register('./typescript-hooks.mjs', import.meta.url)
