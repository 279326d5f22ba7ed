// A table from ids of 128 bits to deadlines: of fixed size, the entry that was unused for longest goes when it is full.
//
// All of it stands in typed arrays: 40 bytes an entry and 2 a place, 721 kB for 16,384 entries. They are made when the
// first entry is, come from the system as zero pages and are taken into use from their beginning, so that what a
// process has in memory follows what it has remembered at once. No entry is an object, for each would cost three times
// as much, and the collector would have to look at all of them.
// An entry belongs to those who hold it, whose number it knows; whoever comes to let go of one that was thrown out
// meanwhile is told apart by its turn. An index of 0 means none.

import type { Millis } from '../../lib/duration.ts'
import type { HalfSipHash } from '../../lib/half-sip-hash.ts'
import { NO_LIMIT } from '../stack/route.ts'
import { WORDS } from './trace-ids.ts'

/** How long it is known of an id whose requests were cut that its time is over. */
const KEPT: Millis = 30_000

/** Indexes fit 16 bits, and a handle has the rest of the 53. */
const MOST = 32_767
const TURN = 32_768

export class TraceTable {
  /** Entries. */
  size = 0
  readonly #capacity: number
  readonly #mask: number
  readonly #hash: HalfSipHash
  readonly #places: Uint16Array
  readonly #keys: Int32Array
  /** Where it is found. */
  readonly #homes: Uint16Array
  readonly #deadlines: Float64Array
  readonly #holders: Uint32Array
  /** How often the index was given out. */
  readonly #turns: Uint32Array
  /** The next one at the same place; of a free one, the next that is free. */
  readonly #chained: Uint16Array
  /** In the order of their use. */
  readonly #newer: Uint16Array
  readonly #older: Uint16Array
  #newest = 0
  #oldest = 0
  #free = 0
  /** Indexes that were given out at least once. */
  #touched = 0

  /** At most 32,767 entries. */
  constructor(capacity: number, hash: HalfSipHash) {
    this.#capacity = Math.min(capacity, MOST)
    this.#hash = hash
    const places = 2 ** Math.ceil(Math.log2(2 * this.#capacity))
    const length = this.#capacity + 1
    this.#mask = places - 1
    this.#places = new Uint16Array(places)
    this.#keys = new Int32Array(length * WORDS)
    this.#homes = new Uint16Array(length)
    this.#deadlines = new Float64Array(length)
    this.#holders = new Uint32Array(length)
    this.#turns = new Uint32Array(length)
    this.#chained = new Uint16Array(length)
    this.#newer = new Uint16Array(length)
    this.#older = new Uint16Array(length)
  }

  /** Remembers the later of this deadline and the one that is there for the id at `at`; gives what to let go of. */
  hold(words: Int32Array, at: number, deadline: Millis, now: Millis): number {
    this.#dropOldest(now)
    const place = this.#placeOf(words, at)
    let index = this.#indexOf(place, words, at)
    if (index === 0) {
      index = this.#take(place, words, at)
      this.#deadlines[index] = deadline
    } else {
      this.#unlink(index)
      if (deadline > (this.#deadlines[index] ?? 0)) this.#deadlines[index] = deadline
    }
    this.#link(index)
    this.#holders[index] = (this.#holders[index] ?? 0) + 1
    return (this.#turns[index] ?? 0) * TURN + index
  }

  /** One holder less: with the last one the entry goes. */
  release(handle: number): void {
    const index = handle % TURN
    if (Math.floor(handle / TURN) !== this.#turns[index]) return
    const holders = (this.#holders[index] ?? 0) - 1
    this.#holders[index] = holders
    if (holders === 0) this.#remove(index)
  }

  /** One holder less, whose time is over: with the last one, the id's is, and that is known for a while. */
  cut(handle: number, now: Millis): void {
    const index = handle % TURN
    if (Math.floor(handle / TURN) !== this.#turns[index]) return
    const holders = (this.#holders[index] ?? 0) - 1
    this.#holders[index] = holders
    if (holders > 0) return
    this.#deadlines[index] = Math.min(now, this.#deadlines[index] ?? now)
  }

  /** Forgets that the time of the id at `at` is over: it goes on without a deadline. */
  revive(words: Int32Array, at: number): void {
    const index = this.#indexOf(this.#placeOf(words, at), words, at)
    if (index !== 0 && this.#holders[index] === 0) this.#remove(index)
  }

  /** The deadline of the id at `at`, which may be over; NO_LIMIT if none is remembered. */
  find(words: Int32Array, at: number, now: Millis): Millis {
    this.#dropOldest(now)
    const index = this.#indexOf(this.#placeOf(words, at), words, at)
    if (index === 0) return NO_LIMIT
    if (this.#isDone(index, now)) {
      this.#remove(index)
      return NO_LIMIT
    }
    const deadline = this.#deadlines[index] ?? NO_LIMIT
    this.#unlink(index)
    this.#link(index)
    return deadline
  }

  /** Nobody holds it, and it is over for long. */
  #isDone(index: number, now: Millis): boolean {
    return this.#holders[index] === 0 && (this.#deadlines[index] ?? 0) + KEPT <= now
  }

  /** One a call, so that what was cut does not fill the table for ever. */
  #dropOldest(now: Millis): void {
    if (this.#oldest !== 0 && this.#isDone(this.#oldest, now)) this.#remove(this.#oldest)
  }

  #placeOf(words: Int32Array, at: number): number {
    this.#hash.words(words, at, WORDS)
    return (this.#hash.out[0] ?? 0) & this.#mask
  }

  #indexOf(place: number, words: Int32Array, at: number): number {
    const keys = this.#keys
    let index = this.#places[place] ?? 0
    while (index !== 0) {
      const key = index * WORDS
      const isIt =
        keys[key] === words[at] &&
        keys[key + 1] === words[at + 1] &&
        keys[key + 2] === words[at + 2] &&
        keys[key + 3] === words[at + 3]
      if (isIt) return index
      index = this.#chained[index] ?? 0
    }
    return 0
  }

  /** A free index, with that id, at the head of its place. */
  #take(place: number, words: Int32Array, at: number): number {
    if (this.size === this.#capacity) this.#remove(this.#oldest)
    let index = this.#free
    if (index === 0) index = ++this.#touched
    else this.#free = this.#chained[index] ?? 0
    for (let i = 0; i < WORDS; i++) this.#keys[index * WORDS + i] = words[at + i] ?? 0
    this.#turns[index] = (this.#turns[index] ?? 0) + 1
    this.#holders[index] = 0
    this.#chained[index] = this.#places[place] ?? 0
    this.#places[place] = index
    this.#homes[index] = place
    this.size += 1
    return index
  }

  #remove(index: number): void {
    const place = this.#homes[index] ?? 0
    const next = this.#chained[index] ?? 0
    let before = this.#places[place] ?? 0
    if (before === index) this.#places[place] = next
    else {
      while (this.#chained[before] !== index) before = this.#chained[before] ?? 0
      this.#chained[before] = next
    }
    this.#unlink(index)
    // Nobody who held it will find it again.
    this.#turns[index] = (this.#turns[index] ?? 0) + 1
    this.#chained[index] = this.#free
    this.#free = index
    this.size -= 1
  }

  #link(index: number): void {
    this.#older[index] = this.#newest
    this.#newer[index] = 0
    if (this.#newest === 0) this.#oldest = index
    else this.#newer[this.#newest] = index
    this.#newest = index
  }

  #unlink(index: number): void {
    const newer = this.#newer[index] ?? 0
    const older = this.#older[index] ?? 0
    if (newer === 0) this.#newest = older
    else this.#older[newer] = older
    if (older === 0) this.#oldest = newer
    else this.#newer[older] = newer
  }
}
