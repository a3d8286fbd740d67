import { expect, test } from 'vitest'
import { PulledSource } from '../../src/concurrency/pulled-source.js'
import { TracedSource } from '../support/traced-source.js'

const END = { done: true, value: undefined }

test('PulledSource.next() gives nothing more when it was ended, and does not ask', async () => {
  const source = new TracedSource<number>().give(1, 2)
  const pulled = new PulledSource(source)
  expect(await pulled.next()).toEqual({ done: false, value: 1 })
  expect(await pulled.return()).toEqual(END)
  expect(await pulled.next()).toEqual(END)
  expect(await pulled.return()).toEqual(END)
  expect(source).toMatchObject({ asked: 1, returned: 1 })
  expect(pulled.isOpen).toBe(false)
})

test('PulledSource.return() does without a return() of the source', async () => {
  const pulled = new PulledSource([1, 2])
  await pulled.next()
  expect(await pulled.return()).toEqual(END)
})

test('PulledSource.next() keeps promises that an async source gives', async () => {
  const promise = Promise.resolve(1)
  const source = { [Symbol.asyncIterator]: () => ({ next: async () => ({ value: [promise] }) }) }
  const { value } = await new PulledSource(source as AsyncIterable<Promise<number>[]>).next()
  expect(value?.[0]).toBe(promise)
})
