// What a connection has received and not passed on, and what the peer is told it may send (RFC 9113 section 5.2).
//
// The window of the connection is credited as bytes come, so that a stream that nobody reads stops no other one, but
// only as long as no more than a bound lies parked in all of them: memory is bounded by twice that.

import type { H2Output } from './h2-output.ts'
import { FIRST_WINDOW, FrameType } from './protocol.ts'

export class Inflow {
  /** What lies in streams, copied. */
  parked = 0
  /** The connection is over: there is nothing more to be told. */
  isOver = false
  readonly #output: H2Output
  readonly #bound: number
  /** What the peer may still send. */
  #window = FIRST_WINDOW
  #uncredited = 0

  constructor(output: H2Output, bound: number) {
    this.#output = output
    this.#bound = bound
  }

  /** The first credit: beyond what every connection begins with. */
  start(): void {
    if (this.#bound > FIRST_WINDOW) this.#credit(this.#bound - FIRST_WINDOW)
  }

  /** A frame of DATA of that length has come. False if the peer was not allowed to send it (section 6.9.1). */
  take(length: number): boolean {
    if (length > this.#window) return false
    this.#window -= length
    this.#uncredited += length
    return true
  }

  /** A read is over, or something parked has gone. */
  settle(): void {
    if (this.isOver || this.parked >= this.#bound || this.#uncredited * 4 < this.#bound) return
    this.#credit(this.#uncredited)
    this.#uncredited = 0
  }

  #credit(increment: number): void {
    this.#window += increment
    creditWindow(this.#output, 0, increment)
  }
}

/** WINDOW_UPDATE, section 6.9. */
export function creditWindow(output: H2Output, id: number, increment: number): void {
  output.frame(FrameType.windowUpdate, 0, id, 4)
  output.number(increment)
  output.countControl(4)
}
