// A request as it came, kept so that it can be sent once more: its head, and its body up to 64 KiB.
//
// For requests that do not lie in a buffer of the connection that they were sent on (`Exchange.kept`). An exchange has
// one and uses it for one request after another, so that nothing is allocated for those that are small; nobody keeps
// bytes of it for longer than the exchange lasts. When a request is kept is left to the stages and codecs
// (`Exchange.keepForReplay`).

import type { Head } from '../http/head.ts'

/** Bytes of a body that are kept. */
export const MOST_KEPT = 65_536

const FIRST_HEAD = 1024
const FIRST_BODY = 4096
/** What a request has taken over this is not held for the next one. */
const MOST_HELD = 16_384
const NOTHING: Buffer = Buffer.alloc(0)
const NO_VIEW: DataView = new DataView(new ArrayBuffer(0))

/** Where the body goes again. */
interface BodyTaker {
  body(bytes: Buffer, start: number, end: number): void
}

export class Replay {
  /** The body was larger than what is kept: nothing is kept of it any more. */
  isCut = false
  #head: Buffer = NOTHING
  #view: DataView = NO_VIEW
  #headLength = 0
  #body: Buffer = NOTHING
  #length = 0
  /** The attempt that has been given what is kept. */
  #givenTo = 0

  /** Keeps another request. The bytes of a head that stays as it is are left where they are. */
  begin(head: Head): void {
    this.isCut = false
    this.#givenTo = 0
    this.settle()
    this.#headLength = head.isStable ? 0 : head.end - head.start
    if (this.#headLength === 0) return
    if (this.#headLength > this.#head.length || this.#head.length > MOST_HELD) {
      this.#head = Buffer.allocUnsafeSlow(Math.max(FIRST_HEAD, this.#headLength))
      this.#view = new DataView(this.#head.buffer)
    }
    this.#copyHead(head)
  }

  /** The request is over: gives back what a large body has taken. */
  settle(): void {
    if (this.#body.length > MOST_HELD) this.#body = NOTHING
    this.#length = 0
  }

  /** By hand: the call that copies makes an object for a part of a buffer. */
  #copyHead({ view: from, start, end }: Head): void {
    const to = this.#view
    let at = start
    for (const last = end - 4; at <= last; at += 4) to.setInt32(at - start, from.getInt32(at))
    for (; at < end; at += 1) to.setUint8(at - start, from.getUint8(at))
  }

  /** The head's bytes as they came; empty if they stay where they are. */
  get head(): Buffer {
    return this.#head.subarray(0, this.#headLength)
  }

  /** Bytes of the body that are kept. */
  get length(): number {
    return this.#length
  }

  /** The body so far, good as long as nothing is added. */
  get body(): Buffer {
    return this.#body.subarray(0, this.#length)
  }

  /** Bytes that are being sent for the first time. */
  add(bytes: Buffer, start: number, end: number): void {
    if (this.isCut) return
    const length = this.#length + end - start
    if (length > MOST_KEPT) {
      this.isCut = true
      this.#body = NOTHING
      this.#length = 0
      return
    }
    if (length > this.#body.length) {
      // Not the same bytes: an attempt may still be sending the old ones.
      const larger = Buffer.allocUnsafeSlow(Math.min(MOST_KEPT, Math.max(FIRST_BODY, 2 * length)))
      this.#body.copy(larger, 0, 0, this.#length)
      this.#body = larger
    }
    bytes.copy(this.#body, this.#length, start, end)
    this.#length = length
  }

  /** Gives an attempt what earlier ones were given; once, before what is new. */
  giveTo(taker: BodyTaker, attempt: number): void {
    if (attempt === this.#givenTo) return
    this.#givenTo = attempt
    if (this.#length > 0) taker.body(this.#body, 0, this.#length)
  }
}
