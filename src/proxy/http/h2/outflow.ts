// What a connection may send, and whose turn it is: the window of the connection (RFC 9113 section 5.2), and the
// streams that have bytes queued and could send them if the connection let them.
//
// They take turns, a frame each. A stream that its own window holds back is in no queue: it holds up nobody.

import type { H2Output } from './h2-output.ts'
import { FIRST_FRAME_SIZE, FIRST_WINDOW, MOST_WINDOW } from './protocol.ts'

/** A stream that has something queued. */
export interface Sender {
  /** In the queue. */
  isWaiting: boolean
  /** Sends one frame of what is queued. True if it could send another one. */
  sendTurn(): boolean
}

export class Outflow {
  readonly output: H2Output
  /** Bytes of DATA that the peer takes for the whole connection. */
  window: number = FIRST_WINDOW
  /** What a new stream may send. */
  initialWindow: number = FIRST_WINDOW
  /** No larger than we like to interleave, whatever the peer allows. */
  readonly frameSize: number = FIRST_FRAME_SIZE
  #waiting: (Sender | undefined)[] = []
  #first = 0

  constructor(output: H2Output) {
    this.output = output
  }

  /** Bytes of DATA that may leave now, as far as the connection is concerned. */
  get room(): number {
    return this.output.isClogged ? 0 : Math.min(this.window, this.frameSize)
  }

  wait(sender: Sender): void {
    if (sender.isWaiting) return
    sender.isWaiting = true
    this.#waiting.push(sender)
  }

  /** It is over: whoever uses the same object next does not stand in its place. */
  forget(sender: Sender): void {
    if (!sender.isWaiting) return
    sender.isWaiting = false
    this.#waiting[this.#waiting.indexOf(sender, this.#first)] = undefined
  }

  /** The peer takes more. False if that is more than there can be (section 6.9.1). */
  widen(increment: number): boolean {
    this.window += increment
    if (this.window > MOST_WINDOW) return false
    this.serve()
    return true
  }

  /** Lets those that wait send as much as they may. */
  serve(): void {
    while (this.#first < this.#waiting.length && this.room > 0) {
      const next = this.#waiting[this.#first]
      this.#first += 1
      if (next === undefined) continue
      next.isWaiting = false
      if (next.sendTurn()) this.wait(next)
      this.output.relieve()
    }
    if (this.#first === this.#waiting.length) {
      if (this.#first > 0) this.#waiting.length = 0
      this.#first = 0
    } else if (this.#first > 1024) {
      this.#waiting = this.#waiting.slice(this.#first)
      this.#first = 0
    }
  }
}
