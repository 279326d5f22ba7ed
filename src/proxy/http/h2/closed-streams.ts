// Which streams have been closed lately, and by whom: frames may still come for one that we have reset, and are ignored
// (RFC 9113 section 5.1); for one that the peer itself has ended they are an error; for one that never was, another.
//
// Two small arrays, so that it costs the same however many streams there were. What they have forgotten is told from
// what never was: then a later stream stands in its place.

const PLACES = 256

export const Closing = { never: 0, byPeer: 1, byUs: 2, forgotten: 3 } as const
export type Closing = (typeof Closing)[keyof typeof Closing]

export class ClosedStreams {
  readonly #ids: Int32Array = new Int32Array(PLACES)
  readonly #how: Uint8Array = new Uint8Array(PLACES)

  add(id: number, how: Closing): void {
    const place = (id >> 1) & (PLACES - 1)
    this.#ids[place] = id
    this.#how[place] = how
  }

  find(id: number): Closing {
    const place = (id >> 1) & (PLACES - 1)
    const there = this.#ids[place]!
    if (there === id) return this.#how[place] as Closing
    return there > id ? Closing.forgotten : Closing.never
  }
}
