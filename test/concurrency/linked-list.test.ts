import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LinkedList, type Linked } from '../../src/concurrency/linked-list.js'

class Member implements Linked<Member> {
  previous: Member | undefined
  next: Member | undefined
}

describe('LinkedList', () => {
  it('is what a Set is to who only adds, removes and lists, in any order', () => {
    const step = fc.tuple(fc.constantFrom('push', 'remove'), fc.nat(9))
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const members = Array.from({ length: 10 }, () => new Member())
        const list = new LinkedList<Member>()
        const model = new Set<Member>()
        const removals: [boolean, boolean][] = []
        for (const [what, index] of steps) {
          const member = members[index] as Member
          const isIn = model.has(member)
          if (what === 'remove') {
            removals.push([list.remove(member), isIn])
            model.delete(member)
          } else if (!isIn) {
            list.push(member)
            model.add(member)
          }
          expect(list.size).toBe(model.size)
          expect(list.toArray()).toEqual([...model])
          expect(list.first).toBe([...model][0])
        }
        for (const [removed, wasIn] of removals) expect(removed).toBe(wasIn)
        const linked = members.filter(({ previous, next }) => previous ?? next)
        expect(linked.filter((member) => !model.has(member))).toEqual([])
      }),
    )
  })
})
