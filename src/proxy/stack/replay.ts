// A request as it came, kept so that it can be sent once more: its head, and its body up to 64 KiB.
//
// Only for requests that did not leave whole in one write: those lie in the connection's own buffer already
// (`Exchange.kept`). A stage that may send a request again sets it before the request goes down.

import type { Head } from '../http/head.ts'

/** Bytes of a body that are kept. */
export const MOST_KEPT = 65_536

const FIRST_SIZE = 4096

/** Where the body goes again. */
interface BodyTaker {
  body(bytes: Buffer, start: number, end: number): void
}

export class Replay {
  /** The head's bytes as they came. */
  readonly head: Buffer
  /** The body was larger than what is kept: nothing is kept of it any more. */
  isCut = false
  #body: Buffer = Buffer.alloc(0)
  #length = 0
  /** The attempt that has been given what is kept. */
  #givenTo = 0

  constructor(head: Head) {
    this.head = Buffer.allocUnsafeSlow(head.end - head.start)
    head.bytes.copy(this.head, 0, head.start, head.end)
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
      this.#body = Buffer.alloc(0)
      this.#length = 0
      return
    }
    if (length > this.#body.length) {
      // Not the same bytes: an attempt may still be sending the old ones.
      const larger = Buffer.allocUnsafeSlow(Math.min(MOST_KEPT, Math.max(FIRST_SIZE, 2 * length)))
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
