// Reads the responses of one connection to a server, each after it was expected: interim heads, a head, its body's
// slices, its end.
//
// A byte that arrives when no response is expected is refused: it is how one request's answer becomes another's
// (a split response, a second response on an idle pooled connection). Pools and retries are left to the caller.

import { Framing, type Head } from '../head.ts'
import type { Limits } from '../limits.ts'
import { Refusal } from '../refusal.ts'
import { Body } from './body.ts'
import { Event } from './event.ts'
import { REFUSED } from './field-section.ts'
import { type HeadParser, headParser } from './head-parser.ts'
import { Asked, isInterim, judgeResponse } from './response-rules.ts'
import { StatusLine } from './status-line.ts'

const IDLE = 0
const HEAD = 1
const BODY = 2
const TUNNEL = 3
const OVER = 4
const WRONG = 5

export class ResponseReader {
  /** Where to read on, in the bytes last given. */
  position = 0
  refusal: Refusal = Refusal.none
  readonly head: Head
  /** The slice after `Event.body`, and whether chunks are decoded. */
  readonly body: Body
  readonly #parser: HeadParser
  #state = IDLE
  #asked: number = Asked.nothing
  readonly #mostHead: number
  /** Bytes of the interim responses that came. */
  #heard = 0

  constructor(limits: Limits) {
    this.#mostHead = limits.head
    this.#parser = headParser(new StatusLine(limits.startLine), limits)
    this.head = this.#parser.head
    this.body = new Body(limits)
  }

  /** A request was sent; `asked` is what of it matters (see `askedBy`). False if the connection cannot take one. */
  expect(asked: number): boolean {
    if (this.#state !== IDLE) return false
    this.#state = HEAD
    this.#asked = asked
    this.#heard = 0
    this.#parser.begin()
    return true
  }

  /** True if nothing is expected and nothing was wrong: the connection may carry another request. */
  get idle(): boolean {
    return this.#state === IDLE
  }

  /** True if a response is expected and no byte of it has come, so that the server may not have seen the request. */
  get silent(): boolean {
    return this.#state === HEAD && this.#heard === 0 && this.#parser.untouched
  }

  read(bytes: Buffer, start: number, end: number): Event {
    this.position = start
    switch (this.#state) {
      case HEAD:
        return this.#readHead(bytes, start, end)
      case BODY:
        return this.#readBody(bytes, start, end)
      case TUNNEL:
        return Event.paused
      case IDLE:
        return start < end ? this.#refuse(Refusal.responseUnsolicited) : Event.more
      case OVER:
        this.position = end
        return Event.more
      default:
        return Event.refused
    }
  }

  /** The server ended its side: `end` if that ends the message, `refused` if it cuts one short, else `more`. */
  close(): Event {
    if (this.#state === BODY && this.body.endsWithConnection) {
      this.#state = OVER
      return Event.end
    }
    if (this.#state === BODY) return this.#refuse(Refusal.bodyTruncated)
    if (this.#state === HEAD) return this.#refuse(Refusal.headTruncated)
    return this.#state === WRONG ? Event.refused : Event.more
  }

  /** Lets go of all bytes but those of a head or trailers that are half read: an idle connection holds no buffer. */
  release(): void {
    if (this.#state === HEAD && !this.#parser.idle) return
    this.#parser.release()
    this.body.release()
  }

  #readHead(bytes: Buffer, start: number, end: number): Event {
    const at = this.#parser.read(bytes, start, end)
    if (at === REFUSED) return this.#refuse(this.#parser.refusal)
    this.position = at < 0 ? end : at
    if (at < 0) return Event.more
    const refusal = judgeResponse(this.head, this.#asked)
    if (refusal !== Refusal.none) return this.#refuse(refusal)
    if (isInterim(this.head)) {
      this.#heard += this.head.end - this.head.start
      // Without end they would do more than hint: nobody may have to keep so many for a client that does not read.
      if (this.#heard > this.#mostHead) return this.#refuse(Refusal.headTooLarge)
      this.#parser.begin()
      return Event.interim
    }
    this.body.begin(this.head)
    this.#state = this.head.framing === Framing.tunnel ? TUNNEL : BODY
    return Event.head
  }

  #readBody(bytes: Buffer, start: number, end: number): Event {
    const event = this.body.read(bytes, start, end)
    this.position = this.body.position
    if (event === Event.refused) return this.#refuse(this.body.refusal)
    if (event === Event.end) this.#state = this.head.persistent ? IDLE : OVER
    return event
  }

  #refuse(refusal: Refusal): Event {
    this.#state = WRONG
    this.refusal = refusal
    return Event.refused
  }
}
