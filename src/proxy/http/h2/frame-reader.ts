// Takes the bytes of a connection apart into frames (RFC 9113 section 4.1), however they were cut.
//
// The payload of DATA is handed out as it comes, without its padding; any other payload whole, where it lies if it came
// in one piece, else from a copy that is let go of behind it. What a frame means, and whether it may come now, is left
// to the taker.

import { FIRST_FRAME_SIZE, Flag, FRAME_HEAD, FrameType, H2Error } from './protocol.ts'

export interface FrameTaker {
  /** The head of a frame. An error ends the connection before anything of the payload is looked at. */
  frameHead(type: number, flags: number, id: number, length: number): H2Error
  /** A piece of DATA. */
  dataPiece(bytes: Buffer, start: number, end: number): void
  /** The frame of DATA is over; `flags` are its own. */
  dataEnd(flags: number): void
  payload(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): void
}

const NOTHING: Buffer = Buffer.alloc(0)
const RESERVED_OUT = 0x7fff_ffff

export class FrameReader {
  /** Nothing more is read: the connection is over. */
  isStopped = false
  readonly #taker: FrameTaker
  readonly #head: Buffer = Buffer.alloc(FRAME_HEAD)
  /** Bytes of the head that are there. */
  #headLength = 0
  #type = 0
  #flags = 0
  #id = 0
  /** Bytes of the payload to come, padding included; -1 between frames. */
  #left = -1
  /** Bytes of padding at the payload's end; -1 before their number is known. */
  #padding = 0
  #collected: Buffer = NOTHING
  #collectedLength = 0

  constructor(taker: FrameTaker) {
    this.#taker = taker
  }

  /** True between two frames. */
  get isIdle(): boolean {
    return this.#left < 0 && this.#headLength === 0
  }

  /** Reads everything between `start` and `end`. Gives the error that ends the connection, if there is one. */
  read(bytes: Buffer, start: number, end: number): H2Error {
    let at = start
    while (at < end && !this.isStopped) {
      if (this.#left < 0) {
        at = this.#readHead(bytes, at, end)
        if (this.#left < 0) return H2Error.none
        const error = this.#begin()
        if (error !== H2Error.none) return error
        continue
      }
      at =
        this.#type === FrameType.data ? this.#readData(bytes, at, end) : this.#read(bytes, at, end)
      if (at < 0) return H2Error.protocol
    }
    return H2Error.none
  }

  #readHead(bytes: Buffer, start: number, end: number): number {
    let from = bytes
    let at = start
    if (this.#headLength > 0 || end - start < FRAME_HEAD) {
      const size = Math.min(FRAME_HEAD - this.#headLength, end - start)
      bytes.copy(this.#head, this.#headLength, start, start + size)
      this.#headLength += size
      if (this.#headLength < FRAME_HEAD) return end
      from = this.#head
      at = 0
      this.#headLength = 0
      this.#parseHead(from, at)
      return start + size
    }
    this.#parseHead(from, at)
    return start + FRAME_HEAD
  }

  #parseHead(from: Buffer, at: number): void {
    this.#left = (from[at]! << 16) | (from[at + 1]! << 8) | from[at + 2]!
    this.#type = from[at + 3]!
    this.#flags = from[at + 4]!
    // Section 4.1: the reserved bit is ignored.
    this.#id =
      ((from[at + 5]! << 24) | (from[at + 6]! << 16) | (from[at + 7]! << 8) | from[at + 8]!) &
      RESERVED_OUT
  }

  #begin(): H2Error {
    // Section 4.2: we have not allowed larger ones.
    if (this.#left > FIRST_FRAME_SIZE) return H2Error.frameSize
    const error = this.#taker.frameHead(this.#type, this.#flags, this.#id, this.#left)
    if (error !== H2Error.none) return error
    const isPadded = this.#type === FrameType.data && (this.#flags & Flag.padded) !== 0
    if (isPadded && this.#left === 0) return H2Error.frameSize
    this.#padding = isPadded ? -1 : 0
    this.#collectedLength = 0
    if (this.#left === 0) this.#endEmpty()
    return H2Error.none
  }

  #endEmpty(): void {
    this.#left = -1
    if (this.#type === FrameType.data) this.#taker.dataEnd(this.#flags)
    else this.#taker.payload(this.#type, this.#flags, this.#id, NOTHING, 0, 0)
  }

  /** Gives the position after what was read; -1 if the padding is longer than the frame (section 6.1). */
  #readData(bytes: Buffer, start: number, end: number): number {
    let at = start
    if (this.#padding < 0) {
      this.#padding = bytes[at++]!
      this.#left -= 1
      if (this.#padding > this.#left) return -1
    }
    const content = Math.min(this.#left - this.#padding, end - at)
    if (content > 0) {
      this.#taker.dataPiece(bytes, at, at + content)
      at += content
      this.#left -= content
    }
    if (this.#left <= this.#padding) {
      const skipped = Math.min(this.#left, end - at)
      at += skipped
      this.#left -= skipped
      this.#padding = this.#left
    }
    if (this.#left === 0) {
      this.#left = -1
      this.#taker.dataEnd(this.#flags)
    }
    return at
  }

  #read(bytes: Buffer, start: number, end: number): number {
    const size = Math.min(this.#left, end - start)
    this.#left -= size
    if (this.#left > 0 || this.#collectedLength > 0) {
      this.#collect(bytes, start, start + size)
      if (this.#left > 0) return end
      const collected = this.#collected
      const length = this.#collectedLength
      this.#left = -1
      this.#collected = NOTHING
      this.#taker.payload(this.#type, this.#flags, this.#id, collected, 0, length)
      return start + size
    }
    this.#left = -1
    this.#taker.payload(this.#type, this.#flags, this.#id, bytes, start, start + size)
    return start + size
  }

  #collect(bytes: Buffer, start: number, end: number): void {
    // As long as the frame, which is not longer than we allow.
    if (this.#collectedLength === 0) {
      this.#collected = Buffer.allocUnsafe(end - start + this.#left)
    }
    bytes.copy(this.#collected, this.#collectedLength, start, end)
    this.#collectedLength += end - start
  }
}
