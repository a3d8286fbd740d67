/**
 * Members that come and go in any order, each in constant time, kept in the order of their coming. A member carries
 * its own links and can be in one list at a time.
 *
 * Why not a Set: of the tables that a Set outgrows V8 leaves each linked to the next one. Once a collection has
 * moved one of them to the old objects, whatever passes through the Set later is taken for reachable and moved there
 * too, and a server with thousands of short connections a second spends twice the time on collecting them.
 *
 * Invariant: a member that has left has no links, so that it keeps no other alive.
 */

/** What a member has to have; undefined while it is in no list. */
export interface Linked<Member> {
  previous: Member | undefined
  next: Member | undefined
}

export class LinkedList<Member extends Linked<Member>> {
  #first: Member | undefined
  #last: Member | undefined
  #size = 0

  /** How many members there are. */
  get size(): number {
    return this.#size
  }

  /** The one that came first. */
  get first(): Member | undefined {
    return this.#first
  }

  /** Puts one at the end that is in no list. */
  push(member: Member): void {
    member.previous = this.#last
    if (this.#last === undefined) this.#first = member
    else this.#last.next = member
    this.#last = member
    this.#size++
  }

  /** Takes one out; false when it is not in the list. */
  remove(member: Member): boolean {
    const { previous, next } = member
    if (previous === undefined && this.#first !== member) return false
    if (previous === undefined) this.#first = next
    else previous.next = next
    if (next === undefined) this.#last = previous
    else next.previous = previous
    member.previous = undefined
    member.next = undefined
    this.#size--
    return true
  }

  /** Those that are members now, in their order. */
  toArray(): Member[] {
    const members: Member[] = []
    for (let one = this.#first; one !== undefined; one = one.next) members.push(one)
    return members
  }
}
