// Reads the requests of one connection, one after another: a head, its body's slices, its end.
//
// Pipelining is the caller's choice: it simply does not read on while it is busy. After a request for a tunnel
// (CONNECT, Upgrade) the reader waits for the answer, because what follows may be another protocol. Answering a
// refusal, and everything about connections, is left to the caller.

import type { Head } from '../head.ts'
import type { Limits } from '../limits.ts'
import { Method } from '../method.ts'
import { Refusal } from '../refusal.ts'
import { Body } from './body.ts'
import { Event } from './event.ts'
import { REFUSED } from './field-section.ts'
import { type HeadParser, headParser } from './head-parser.ts'
import { RequestLine } from './request-line.ts'
import { judgeRequest } from './request-rules.ts'

const HEAD = 0
const BODY = 1
const PAUSED = 2
const OVER = 3
const WRONG = 4

export class RequestReader {
  /** Where to read on, in the bytes last given. */
  position = 0
  refusal: Refusal = Refusal.none
  readonly head: Head
  /** The slice after `Event.body`, and whether chunks are decoded. */
  readonly body: Body
  readonly #line: RequestLine
  readonly #parser: HeadParser
  #state = HEAD

  constructor(limits: Limits) {
    this.#line = new RequestLine(limits.startLine)
    this.#parser = headParser(this.#line, limits)
    this.head = this.#parser.head
    this.body = new Body(limits)
  }

  /** True between requests: the connection may be closed without anything being lost. */
  get idle(): boolean {
    return (this.#state === HEAD && this.#parser.idle) || this.#state === OVER
  }

  /** True after a request for a tunnel: what follows is for the caller until `resume`. */
  get isPaused(): boolean {
    return this.#state === PAUSED
  }

  read(bytes: Buffer, start: number, end: number): Event {
    this.position = start
    switch (this.#state) {
      case HEAD:
        return this.#readHead(bytes, start, end)
      case BODY:
        return this.#readBody(bytes, start, end)
      case PAUSED:
        return Event.paused
      case OVER:
        // RFC 9112 section 9.6: nothing after a request that said close is processed.
        this.position = end
        return Event.more
      default:
        return Event.refused
    }
  }

  /** After `paused`: the tunnel was not granted, and the connection goes on with requests. */
  resume(): void {
    if (this.#state === PAUSED) this.#next()
  }

  /** Forgets everything: the next byte is the first of a request. */
  restart(): void {
    this.#state = HEAD
    this.refusal = Refusal.none
    this.#parser.begin()
  }

  /** The client ended its side. Gives the refusal of the request that this cut short, if any. */
  close(): Refusal {
    if (this.#state === BODY) return this.#refuse(Refusal.bodyTruncated)
    if (this.#state === HEAD && !this.#parser.idle) return this.#refuse(Refusal.headTruncated)
    return this.refusal
  }

  /** Lets go of all bytes but those of a head or trailers that are half read: an idle connection holds no buffer. */
  release(): void {
    if (this.#state === HEAD && !this.#parser.idle) return
    this.#parser.release()
    this.body.release()
  }

  #readHead(bytes: Buffer, start: number, end: number): Event {
    const at = this.#parser.read(bytes, start, end)
    if (at < 0) {
      if (at === REFUSED) this.#refuse(this.#parser.refusal)
      else this.position = end
      return at === REFUSED ? Event.refused : Event.more
    }
    this.position = at
    const refusal = judgeRequest(this.head, this.#line.percent)
    if (refusal !== Refusal.none) {
      this.#refuse(refusal)
      return Event.refused
    }
    this.body.begin(this.head)
    this.#state = BODY
    return Event.head
  }

  #readBody(bytes: Buffer, start: number, end: number): Event {
    const event = this.body.read(bytes, start, end)
    this.position = this.body.position
    if (event === Event.refused) this.#refuse(this.body.refusal)
    if (event === Event.end) this.#end()
    return event
  }

  #end(): void {
    if (this.head.method === Method.connect || this.head.upgrade) this.#state = PAUSED
    else this.#next()
  }

  #next(): void {
    this.#state = this.head.persistent ? HEAD : OVER
    this.#parser.begin()
  }

  #refuse(refusal: Refusal): Refusal {
    this.#state = WRONG
    this.refusal = refusal
    return refusal
  }
}
