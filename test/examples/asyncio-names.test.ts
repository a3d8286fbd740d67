/** The examples of asyncio's names: run against the build, each prints what it says at its end. */
import { examplesOf, testExamples } from '../support/examples.js'

testExamples(examplesOf('asyncio-names'), 6)
