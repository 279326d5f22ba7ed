// What a stream has received of a body and not passed on: bytes of the read at hand where they were read, those of
// earlier reads copied, and those that were given but are still needed where they lie.
//
// Also how long the body is to be, by its head. Windows and frames are left to the stream.

import { Framing, type Head } from '../head.ts'
import { Slices, type SliceTaker, type SliceTap } from '../slices.ts'

/** Small pieces are copied into one buffer of this size, so that many of them take no more memory than bytes. */
const LEAST_PIECE = 1024

export class Intake {
  /** Copied, and still to be given. */
  parked = 0
  /** Of what was given and not consumed, some lies in the read at hand, and is still needed there. */
  isInRead = false
  /** Given and not consumed yet: in all, and of that from what was parked. */
  #given = 0
  #givenParked = 0
  /** Of the body as its head has it; infinite if it does not say. Starts as a double. */
  #expected = NaN
  #received = 0
  readonly #slices: Slices = new Slices()
  readonly #pieces: Buffer[] = []
  /** The last of them has room behind this. */
  #tail: Buffer | undefined
  #tailLength = 0

  constructor() {
    this.#tail = undefined
  }

  /** For the next body. */
  begin(): void {
    this.isInRead = false
    this.#expected = Number.POSITIVE_INFINITY
    this.#received = 0
    this.#given = 0
    this.#givenParked = 0
  }

  expect({ framing, contentLength }: Head): void {
    if (framing === Framing.length) this.#expected = contentLength
    else if (framing === Framing.none) this.#expected = 0
  }

  /** Bytes of DATA. False if there are more than Content-Length has (RFC 9113 section 8.1.1). */
  take(bytes: Buffer, start: number, end: number): boolean {
    this.#received += end - start
    if (this.#received > this.#expected) return false
    this.#slices.add(bytes, start, end)
    return true
  }

  /** Whether the body may end here. */
  get isComplete(): boolean {
    return this.#expected === Number.POSITIVE_INFINITY || this.#received === this.#expected
  }

  /** Whether it has all that its head speaks of. */
  get isWhole(): boolean {
    return this.#received === this.#expected
  }

  /** Bytes that are still to be given. */
  get unread(): number {
    return this.parked + this.#slices.length
  }

  /** They stay as they are until `consumed`, or, if the taker copies, need not stay at all. */
  giveTo(taker: SliceTaker, tap?: SliceTap): void {
    if (this.parked > 0) this.#giveParked(taker, tap)
    const { length } = this.#slices
    if (length === 0) return
    this.#given += length
    this.isInRead = true
    this.#slices.giveTo(taker, tap)
  }

  /** What was given is passed on. Gives how much that was. */
  consumed(): number {
    const given = this.#given
    this.#given = 0
    this.isInRead = false
    return given
  }

  /** What was given lies in other memory of ours now. Gives how much that is, of what was not parked before. */
  copied(): number {
    const fresh = this.#given - this.#givenParked
    this.#givenParked = this.#given
    this.isInRead = false
    return fresh
  }

  /** Of what was consumed, the bytes that had been parked. */
  unpark(): number {
    const parked = this.#givenParked
    this.#givenParked = 0
    return parked
  }

  /** The read is over: what nobody took is copied. Gives how much that is. */
  park(): number {
    const { length } = this.#slices
    if (length === 0) return 0
    let tail = this.#tail
    if (tail === undefined || tail.length - this.#tailLength < length) {
      this.#seal()
      tail = Buffer.allocUnsafe(Math.max(LEAST_PIECE, length))
      this.#tail = tail
    }
    this.#slices.moveTo(tail, this.#tailLength)
    this.#tailLength += length
    this.parked += length
    return length
  }

  /** Nobody wants any of it. Gives how much was parked. */
  drop(): number {
    const parked = this.parked + this.#givenParked
    this.#slices.clear()
    if (this.#pieces.length > 0) this.#pieces.length = 0
    this.#tail = undefined
    this.#tailLength = 0
    this.parked = 0
    this.isInRead = false
    this.#given = 0
    this.#givenParked = 0
    return parked
  }

  #giveParked(taker: SliceTaker, tap: SliceTap | undefined): void {
    this.#seal()
    for (const piece of this.#pieces) {
      tap?.add(piece, 0, piece.length)
      taker.body(piece, 0, piece.length)
    }
    this.#pieces.length = 0
    this.#given += this.parked
    this.#givenParked += this.parked
    this.parked = 0
  }

  /** Nothing more goes into the last piece. */
  #seal(): void {
    if (this.#tail !== undefined) this.#pieces.push(this.#tail.subarray(0, this.#tailLength))
    this.#tail = undefined
    this.#tailLength = 0
  }
}
