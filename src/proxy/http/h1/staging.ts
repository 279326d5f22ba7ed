// A message, or a piece of one, that is ready to leave but must not yet: until all bytes at hand are found sound.
//
// A head and a small body leave as one buffer in one write; a large body leaves from where it was read, uncopied.
// What is staged is all from one read.

import { Slices } from '../slices.ts'
import type { HeadWriter } from './head-writer.ts'

/** Up to this size a body is copied behind its head: cheaper than a second write. */
export const SMALL_BODY = 16_384

/** Where staged bytes go. False: they must stay as they are until somebody says otherwise. */
export interface Sink {
  write(bytes: Buffer): boolean
}

export class Staging {
  readonly #writer: HeadWriter
  readonly #body: Slices = new Slices()
  #hasHead = false

  /** The writer may be shared: nothing else is written with it between `head` and `flush`. */
  constructor(writer: HeadWriter) {
    this.#writer = writer
  }

  /** The writer has a head that is to be finished. */
  head(): void {
    this.#hasHead = true
  }

  body(bytes: Buffer, start: number, end: number): void {
    this.#body.add(bytes, start, end)
  }

  discard(): void {
    this.#hasHead = false
    this.#body.clear()
  }

  /** True if a head and all that is staged leave as one buffer of our own. */
  get isWhole(): boolean {
    const { bytes, start, end, more } = this.#body
    return (
      this.#hasHead && (bytes === undefined || (more === undefined && end - start <= SMALL_BODY))
    )
  }

  /** What `isWhole` speaks of; undefined if a line that was added to the head could break it. */
  takeWhole(): Buffer | undefined {
    const { bytes, start, end } = this.#body
    const whole =
      bytes === undefined ? this.#writer.finish() : this.#writer.finish(bytes, start, end)
    this.discard()
    return whole
  }

  /** Writes everything. False if the sink does not take more for now. */
  flush(sink: Sink): boolean {
    let isTaken = true
    if (this.#hasHead) {
      const head = this.isWhole ? this.takeWhole() : this.#writer.finish()
      this.#hasHead = false
      if (head !== undefined) isTaken = sink.write(head)
      if (!isTaken) this.#writer.letGo()
    }
    const { bytes, start, end, more } = this.#body
    if (bytes === undefined) return isTaken
    const isAll = start === 0 && end === bytes.length
    isTaken = sink.write(isAll ? bytes : bytes.subarray(start, end)) && isTaken
    if (more !== undefined) for (const slice of more) isTaken = sink.write(slice) && isTaken
    this.#body.clear()
    return isTaken
  }
}
