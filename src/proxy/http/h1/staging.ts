// A message, or a piece of one, that is ready to leave but must not yet: until all bytes at hand are found sound.
//
// A head and a small body leave as one buffer in one write; a large body in one piece leaves from where it was read,
// uncopied. Pieces that lie apart are joined, for a write costs more than a copy, and so are those that must be framed
// as chunks. What is staged is all from one read.

import type { Head } from '../head.ts'
import { Slices } from '../slices.ts'
import { addChunk, addLastChunk } from './chunk-lines.ts'
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
  /** What is staged of the body is content, to be framed as chunks. */
  #isChunking = false
  #isLast = false
  #trailers: Head | undefined

  /** The writer may be shared: what is staged is written with it in `flush` alone. */
  constructor(writer: HeadWriter) {
    this.#writer = writer
    this.#trailers = undefined
  }

  /** By `flush` the writer has a head that is to be finished. It says that the body is chunked if that is to be done. */
  head(isChunking: boolean): void {
    this.#hasHead = true
    this.#isChunking = isChunking
  }

  body(bytes: Buffer, start: number, end: number): void {
    this.#body.add(bytes, start, end)
  }

  /** Nothing becomes of them where the body is framed already, or by a length. Good until `flush`. */
  trailers(fields: Head): void {
    if (this.#isChunking) this.#trailers = fields
  }

  end(): void {
    this.#isLast = this.#isChunking
  }

  discard(): void {
    this.#hasHead = false
    this.#body.clear()
    this.#isLast = false
    this.#trailers = undefined
  }

  /** True if a head and all that is staged leave as one buffer of our own, and a small one. */
  get isWhole(): boolean {
    return this.#hasHead && this.#body.length <= SMALL_BODY
  }

  /** What `isWhole` speaks of; undefined if a line that was added to the head could break it. */
  takeWhole(): Buffer | undefined {
    this.#writer.endHead()
    this.#join()
    return this.#writer.take()
  }

  /** Writes everything. False if the sink does not take more for now. */
  flush(sink: Sink): boolean {
    const isJoined = this.#isChunking || this.#body.more !== undefined
    if (this.#hasHead && (isJoined || this.isWhole)) return this.#write(sink, this.takeWhole())
    const isTaken = !this.#hasHead || this.#write(sink, this.#writer.finish())
    this.#hasHead = false
    const { bytes, start, end } = this.#body
    if (bytes === undefined && !this.#isLast) return isTaken
    if (isJoined || bytes === undefined) {
      this.#writer.piece()
      this.#join()
      return this.#write(sink, this.#writer.take())
    }
    this.#body.clear()
    const isAll = start === 0 && end === bytes.length
    return sink.write(isAll ? bytes : bytes.subarray(start, end)) && isTaken
  }

  /** Adds what is staged of the body to what is written. */
  #join(): void {
    const writer = this.#writer
    if (this.#isChunking) {
      addChunk(writer, this.#body)
      if (this.#isLast) addLastChunk(writer, this.#trailers)
    } else {
      writer.room(this.#body.length)
      this.#body.giveTo(writer)
    }
    this.discard()
  }

  #write(sink: Sink, bytes: Buffer | undefined): boolean {
    if (bytes === undefined || sink.write(bytes)) return true
    this.#writer.letGo()
    return false
  }
}
