// The rest of a response that nobody wants: read to its end so that its connection can be used again, if that is
// short, sound and soon over.
//
// As strict as with a response that somebody wants: what is refused, and bytes behind the end, cost the connection.
// Meanwhile the connection's events come here. What becomes of it then is left to its owner.

import { Event } from '../http/h1/event.ts'
import type { ResponseReader } from '../http/h1/response-reader.ts'
import { Framing, type Head } from '../http/head.ts'
import { Refusal, refusalName } from '../http/refusal.ts'
import type { Connection, Receiver } from '../net/connection.ts'
import type { ByteCounters } from '../net/relay.ts'

/** Bytes: reading more is dearer than another connection. */
const MOST_READ = 65_536
/** The pool looks once a second. */
const MOST_SWEEPS = 3

/** Whether a response with that head is worth reading on, as far as its head tells. */
export function isShort({ framing, persistent, contentLength }: Head): boolean {
  if (!persistent) return false
  // With chunks it is found out by reading.
  if (framing === Framing.none || framing === Framing.chunked) return true
  return framing === Framing.length && contentLength <= MOST_READ
}

export interface LeftoverOwner {
  /** That was all of it: the connection can be used again. */
  drained(): void
  /** The connection is of no more use. */
  cancel(): void
}

/** Part of what an upstream connection knows of its endpoint. */
export interface LeftoverHost {
  readonly counters: ByteCounters
  refused(reason: string): void
}

export class Leftover implements Receiver {
  readonly #reader: ResponseReader
  readonly #host: LeftoverHost
  readonly #owner: LeftoverOwner
  #length = 0
  #sweeps = 0
  #isOver = false

  /** `reader` stands behind the head. */
  constructor(reader: ResponseReader, host: LeftoverHost, owner: LeftoverOwner) {
    this.#reader = reader
    this.#host = host
    this.#owner = owner
  }

  onData(_: Connection, chunk: Buffer): void {
    this.#host.counters.sent += chunk.length
    this.read(chunk, 0)
  }

  onEnd(): void {
    this.#lose()
  }

  onError(): void {
    this.#lose()
  }

  onDrain(): void {
    // Nothing is being written.
  }

  onFinished(): void {
    // It is not ended.
  }

  /** Reads on in bytes that are counted already. */
  read(chunk: Buffer, from: number): void {
    const reader = this.#reader
    let event: Event
    let at = from
    do {
      event = reader.read(chunk, at, chunk.length)
      at = reader.position
    } while (event === Event.body)
    this.#length += at - from
    if (event === Event.refused) {
      this.#host.refused(refusalName(reader.refusal))
      this.#lose()
    } else if (event === Event.end && at < chunk.length) {
      // RFC 9112 section 9.2: what nobody asked for must not become the answer to the next request.
      this.#host.refused(refusalName(Refusal.responseUnsolicited))
      this.#lose()
    } else if (this.#length > MOST_READ) {
      this.#lose()
    } else if (event === Event.end) {
      this.#isOver = true
      this.#owner.drained()
    }
  }

  /** Once a second. True when it is over. */
  sweep(): boolean {
    if (this.#isOver) return true
    this.#sweeps += 1
    if (this.#sweeps < MOST_SWEEPS) return false
    this.#lose()
    return true
  }

  #lose(): void {
    this.#isOver = true
    this.#owner.cancel()
  }
}
