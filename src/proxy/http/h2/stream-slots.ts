// Streams by their ids: a table with open addressing, because a Map makes garbage of everything that comes and goes.
//
// Ids go up by two, so that streams of about the same age never meet in a slot; one that lives for long may be met, and
// the next slot is taken then.

const FIRST_SIZE = 16

export interface Numbered {
  readonly id: number
}

export class StreamSlots<Stream extends Numbered> {
  #slots: (Stream | undefined)[] = empty<Stream>(FIRST_SIZE)
  #mask = FIRST_SIZE - 1
  #size = 0

  find(id: number): Stream | undefined {
    return this.#slots[this.#placeOf(id)]
  }

  /** A stream whose id is not there yet. */
  add(stream: Stream): void {
    if (2 * (this.#size + 1) > this.#slots.length) this.#resize(2 * this.#slots.length)
    this.#slots[this.#placeOf(stream.id)] = stream
    this.#size += 1
  }

  /** False if it is not there. */
  remove(stream: Stream): boolean {
    let hole = this.#placeOf(stream.id)
    if (this.#slots[hole] !== stream) return false
    this.#size -= 1
    // Whoever stands behind the hole because its own slot was taken moves up.
    for (let at = (hole + 1) & this.#mask; ; at = (at + 1) & this.#mask) {
      const next = this.#slots[at]
      if (next === undefined) break
      const home = (next.id >> 1) & this.#mask
      if (((at - home) & this.#mask) < ((at - hole) & this.#mask)) continue
      this.#slots[hole] = next
      hole = at
    }
    this.#slots[hole] = undefined
    return true
  }

  /** All of them, as they are now. */
  list(): Stream[] {
    return this.#slots.filter((stream) => stream !== undefined)
  }

  /** Nothing has moved for a while. */
  rest(): void {
    if (this.#size === 0 && this.#slots.length > FIRST_SIZE) this.#resize(FIRST_SIZE)
  }

  /** Where it is, or would be. */
  #placeOf(id: number): number {
    const slots = this.#slots
    let at = (id >> 1) & this.#mask
    for (;;) {
      const stream = slots[at]
      if (stream === undefined || stream.id === id) return at
      at = (at + 1) & this.#mask
    }
  }

  #resize(size: number): void {
    const streams = this.list()
    this.#slots = empty(size)
    this.#mask = size - 1
    for (const stream of streams) this.#slots[this.#placeOf(stream.id)] = stream
  }
}

function empty<Stream>(size: number): (Stream | undefined)[] {
  return new Array<Stream | undefined>(size).fill(undefined)
}
