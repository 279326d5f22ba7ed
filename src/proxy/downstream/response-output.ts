// The responses of one client's connection on their way out: which fields this hop adds and takes, whether the
// connection lives on, and when what is staged leaves.
//
// Reading requests, and what happens between them, is left to the connection.

import type { ErrorCode } from '../../lib/errors.ts'
import { Field, fieldBits, HOP_BY_HOP } from '../http/fields.ts'
import { CLOSE_LINE, KEEP_ALIVE_LINE, UPGRADE_LINE } from '../http/h1/hop-lines.ts'
import { Staging } from '../http/h1/staging.ts'
import { Framing, type Head } from '../http/head.ts'
import { Method } from '../http/method.ts'
import type { Outlet } from '../net/outlet.ts'
import type { Exchange } from '../stack/exchange.ts'
import { errorAnswer } from './answer.ts'
import type { DownstreamHost } from './host.ts'

const UPGRADE = fieldBits(Field.upgrade)
const CODED = fieldBits(Field.transferEncoding, Field.trailer)

/** Of an answer of our own. */
export interface OwnEnding {
  /** The answer to a HEAD has none. */
  readonly hasBody: boolean
  /** The request has come whole, and the client can send another. */
  readonly mayFollow: boolean
}

export class ResponseOutput {
  /** The head of the response proper has left. */
  headSent = false
  /** The connection ends with this response. */
  isLast = false
  /** The exchange is over, although its last bytes may still be on their way. */
  isOver = false
  readonly #request: Head
  readonly #outlet: Outlet
  readonly #host: DownstreamHost
  readonly #staging: Staging
  #hasHead = false
  /** The response is staged or written to its end. */
  isEnded = false

  /** `request` is the head of whatever request is being answered. */
  constructor(request: Head, outlet: Outlet, host: DownstreamHost) {
    this.#request = request
    this.#outlet = outlet
    this.#host = host
    this.#staging = new Staging(host.writer)
  }

  /** All of the response left before all of the request came. What is on its way lies in upstream's buffer. */
  get isComplete(): boolean {
    return this.isEnded && !this.isOver && this.#outlet.isEmpty
  }

  /** For the next request. */
  begin(): void {
    this.headSent = false
    this.isOver = false
    this.#hasHead = false
    this.isEnded = false
  }

  /** RFC 9110 section 15.2: HTTP/1.0 has no interim responses. */
  interim(response: Head): void {
    if (this.#request.minor === 0) return
    const { writer } = this.#host
    writer.response(response, HOP_BY_HOP)
    const bytes = writer.finish()
    if (bytes !== undefined && !this.#outlet.write(bytes)) writer.letGo()
  }

  /** `mayFollow`: the request has come whole, and the client can send another. */
  head(response: Head, exchange: Exchange, mayFollow: boolean): void {
    const { writer, isDraining } = this.#host
    const request = this.#request
    const isTunnel = response.framing === Framing.tunnel
    const isCoded = response.framing === Framing.chunked
    const isDecoded = isCoded && exchange.plainBody
    // RFC 9112 section 6.1: HTTP/1.0 is never told of codings, in an answer without a body neither.
    const coded = exchange.plainBody ? CODED : 0
    // Where the client cannot see the end of the body otherwise, it is the end of the connection.
    const needsClose = response.framing === Framing.close || isDecoded
    // What a client sends behind a CONNECT it does not mean as requests, and may not have waited to be refused.
    const isDenied = request.method === Method.connect
    const ends = needsClose || isDenied || isDraining || !mayFollow || !request.persistent
    if (!isTunnel && ends) this.close()
    const hop = response.status === 101 ? HOP_BY_HOP & ~UPGRADE : HOP_BY_HOP
    writer.response(response, hop | coded)
    if (exchange.responseLines !== undefined) writer.addLines(exchange.responseLines)
    if (response.status === 101) writer.addLines(UPGRADE_LINE)
    else if (this.isLast) writer.addLines(CLOSE_LINE)
    else if (request.minor === 0) writer.addLines(KEEP_ALIVE_LINE)
    this.#staging.head()
    this.#hasHead = true
  }

  /** Writes an answer of our own, instead of a response. */
  answer(exchange: Exchange, error: ErrorCode, ending: OwnEnding): void {
    this.#settle(ending)
    const { status, details, lastEndpoint } = exchange
    const nextHop = lastEndpoint?.key ?? ''
    const shape = { closes: this.isLast, hasBody: ending.hasBody, nextHop }
    this.#outlet.write(errorAnswer(status, error, details, shape))
    this.over()
  }

  /** Writes a 200 of our own: lines of fields, an empty one and the content. */
  answerOwn(lines: string, ending: OwnEnding): void {
    this.#settle(ending)
    const close = this.isLast ? CLOSE_LINE.toString() : ''
    this.#outlet.write(Buffer.from(`HTTP/1.1 200 OK\r\n${close}${lines}`, 'latin1'))
    this.over()
  }

  #settle({ mayFollow }: OwnEnding): void {
    const request = this.#request
    const ends = !mayFollow || !request.persistent || request.method === Method.connect
    if (ends || this.#host.isDraining) this.close()
  }

  body(bytes: Buffer, start: number, end: number): void {
    this.#staging.body(bytes, start, end)
  }

  end(): void {
    this.isEnded = true
  }

  /** False if what was given must stay as it is, or no more is wanted for now. */
  flush(): boolean {
    // All of a response in a buffer of our own: its source need not wait for the client.
    const isFree = this.isEnded && this.#staging.isWhole
    this.#staging.flush(this.#outlet)
    this.headSent ||= this.#hasHead
    // With nothing staged an interim response may still be on its way.
    return this.#outlet.isEmpty || isFree
  }

  discard(): void {
    this.#staging.discard()
    if (!this.headSent) this.#hasHead = false
  }

  over(): void {
    this.isOver = true
  }

  close(): void {
    this.isLast = true
  }
}
