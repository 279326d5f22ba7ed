// What was read of a client's connection and is not passed on yet: of the request at hand its body, and behind it the
// bytes that came before their turn.
//
// All of it lies in the connection's own buffer, which is not read into meanwhile. When to read, and what a request
// leads to, is left to the connection.

import { Event } from '../http/h1/event.ts'
import { RequestReader } from '../http/h1/request-reader.ts'
import type { Head } from '../http/head.ts'
import type { Limits } from '../http/limits.ts'
import { Slices } from '../http/slices.ts'
import type { Exchange, Upstream } from '../stack/exchange.ts'

export class RequestInput {
  readonly reader: RequestReader
  readonly head: Head
  /** All of the request at hand was read. */
  isWhole = false
  /** What came before its turn. */
  held: Buffer | undefined
  heldAt = 0
  readonly #body: Slices = new Slices()

  constructor(limits: Limits) {
    this.reader = new RequestReader(limits)
    this.head = this.reader.head
    this.held = undefined
  }

  /** Reads on from `from`; stops behind a head, at a request's end, and when all bytes are taken. */
  read(chunk: Buffer, from: number, exchange: Exchange): Event {
    const { reader } = this
    const { body } = reader
    let at = from
    for (;;) {
      const event = reader.read(chunk, at, chunk.length)
      at = reader.position
      if (event === Event.head) this.isWhole = false
      else if (event === Event.end) {
        this.isWhole = true
        exchange.isAtHand = true
      }
      if (event !== Event.body) return event
      exchange.requestBytes += body.sliceEnd - body.sliceStart
      this.#body.add(body.slice, body.sliceStart, body.sliceEnd)
    }
  }

  /** Passes on what is there of the request at hand. False if upstream does not take more for now. */
  giveTo(upstream: Upstream, { kept, request, replay, attempt }: Exchange): boolean {
    if (kept !== undefined) {
      upstream.body(kept, request.end, kept.length)
    } else if (replay !== undefined) {
      replay.giveTo(upstream, attempt)
      this.#body.giveTo(upstream, replay)
    } else {
      this.#body.giveTo(upstream)
    }
    if (this.isWhole) upstream.end()
    return upstream.flush()
  }

  /** Nothing is under way, and nothing has moved for a while. */
  rest(exchange: Exchange): void {
    this.reader.release()
    exchange.rest()
  }

  hold(chunk: Buffer, at: number): void {
    this.held = chunk
    this.heldAt = at
  }

  /** The next request, or what there is of it, if it was held. */
  next(): Buffer | undefined {
    const { held } = this
    this.held = undefined
    this.#body.clear()
    return held
  }
}
