/** Handlers that pipe a subscription to their connection; of subscribers that do not read see test/faults. */
import { describe, expect, test } from 'vitest'
import { Broadcaster } from '../../src/concurrency/broadcaster.js'
import { eventually } from '../support/eventually.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { serve } from '../support/serve.js'
import { dial, receiveAll } from '../support/wire.js'

guardAgainstLeaks()

describe('A handler that pipes a subscription to its connection', () => {
  test('ends, and unsubscribes, when the peer resets while nothing is published', async () => {
    const broadcaster = new Broadcaster<string>()
    const server = await serve(async ({ writer, signal }) => {
      await writer.pipeFrom(broadcaster.subscribe({ signal }))
    })
    const peer = dial(server.address)
    await eventually(() => broadcaster.subscribers === 1)
    peer.resetAndDestroy()
    await eventually(() => broadcaster.subscribers === 0 && server.stats.open === 0)
    expect(server.stats.closedBy).toEqual({ reset: 1 })
  })

  test('goes on when the peer has only ended its half', async () => {
    const broadcaster = new Broadcaster<string>()
    const server = await serve(async ({ writer, signal, reader }) => {
      const subscription = broadcaster.subscribe({ signal })
      expect(await reader.readLine()).toBeNull()
      await writer.pipeFrom(subscription)
    })
    const peer = dial(server.address)
    peer.end()
    await eventually(() => broadcaster.subscribers === 1)
    broadcaster.publish('still here\n')
    broadcaster.close()
    const { bytes, end } = await receiveAll(peer)
    expect([bytes.toString(), end]).toEqual(['still here\n', 'end'])
  })

  test('sends what the subscription holds when the server stops, if the broadcaster is closed first', async () => {
    const broadcaster = new Broadcaster<string>()
    const server = await serve(async ({ writer, signal }) => {
      await writer.pipeFrom(broadcaster.subscribe({ signal }))
    })
    const peer = dial(server.address)
    await eventually(() => broadcaster.subscribers === 1)
    for (let n = 0; n < 1000; n++) broadcaster.publish(`${n}\n`)
    broadcaster.close()
    const received = receiveAll(peer)
    peer.end()
    expect(await server.stop()).toMatchObject({ aborted: 0, stragglers: [] })
    expect((await received).bytes.toString().split('\n')).toHaveLength(1001)
  })
})
