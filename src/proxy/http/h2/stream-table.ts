// The streams of a connection: those that are open by their ids, the objects of those that are over for use by others,
// and the memory of which were closed lately.

import { ClosedStreams, Closing } from './closed-streams.ts'
import type { H2Stream } from './h2-stream.ts'
import { StreamSlots } from './stream-slots.ts'

/** Objects that are kept for streams to come. */
const MOST_SPARE = 256

export class StreamTable {
  /** Streams that are open, or whose work is not over although the wire is done with them. */
  open = 0
  readonly closed: ClosedStreams = new ClosedStreams()
  /** Those that received something in the read at hand. */
  readonly touched: H2Stream[] = []
  readonly #byId: StreamSlots<H2Stream> = new StreamSlots()
  readonly #spare: H2Stream[] = []

  find(id: number): H2Stream | undefined {
    return this.#byId.find(id)
  }

  /** Those that the wire is not done with, as it is now. */
  all(): readonly H2Stream[] {
    return this.#byId.list()
  }

  /** An object whose stream is over. */
  takeSpare(): H2Stream | undefined {
    return this.#spare.pop()
  }

  add(stream: H2Stream): void {
    this.#byId.add(stream)
    this.open += 1
  }

  /** The wire is done with it. False if it has been so before. */
  remove(stream: H2Stream): boolean {
    if (!this.#byId.remove(stream)) return false
    const { id } = stream
    if (this.closed.find(id) !== Closing.byUs) this.closed.add(id, Closing.byPeer)
    return true
  }

  /** Everybody is done with it. */
  recycle(stream: H2Stream): void {
    this.open -= 1
    stream.rest()
    if (this.#spare.length < MOST_SPARE) this.#spare.push(stream)
  }

  touch(stream: H2Stream): void {
    if (stream.isTouched) return
    stream.isTouched = true
    this.touched.push(stream)
  }

  /** Nothing is open, and nothing has moved for a while. */
  rest(): void {
    this.#spare.length = 0
    this.#byId.rest()
  }
}
