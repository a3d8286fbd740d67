/** The examples of servers: run against the build, each prints what it says at its end. */
import { examplesOf, testExamples } from '../support/examples.js'

testExamples(examplesOf('servers'), 1)
