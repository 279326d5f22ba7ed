// The responses of one client's connection on their way out: which fields this hop adds and takes, whether the
// connection lives on, and when what is staged leaves.
//
// Reading requests, and what happens between them, is left to the connection.

import type { ErrorCode } from '../../lib/errors.ts'
import { Field, fieldBits, HOP_BY_HOP } from '../http/fields.ts'
import { CHUNKED_LINE, CLOSE_LINE, KEEP_ALIVE_LINE, UPGRADE_LINE } from '../http/h1/hop-lines.ts'
import { Staging } from '../http/h1/staging.ts'
import { Framing, type Head } from '../http/head.ts'
import { Method } from '../http/method.ts'
import type { Outlet } from '../net/outlet.ts'
import type { Exchange } from '../stack/exchange.ts'
import { errorAnswer } from './answer.ts'
import type { DownstreamHost } from './host.ts'

const UPGRADE = fieldBits(Field.upgrade)
const TRAILER = fieldBits(Field.trailer)
const CODED = fieldBits(Field.transferEncoding) | TRAILER

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
  /** What is to be written with the next flush: the writer is everybody's, and heads of others may come in between. */
  #head: Head | undefined
  #cut = 0
  #hopLine: Buffer | undefined
  #responseLines: Buffer | undefined
  /** Content is framed as chunks by us. */
  #isChunking = false
  #isBodiless = false

  /** `request` is the head of whatever request is being answered. */
  constructor(request: Head, outlet: Outlet, host: DownstreamHost) {
    this.#request = request
    this.#outlet = outlet
    this.#host = host
    this.#staging = new Staging(host.writer)
    this.#head = undefined
    this.#hopLine = undefined
    this.#responseLines = undefined
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
    const request = this.#request
    const isTunnel = response.framing === Framing.tunnel
    const isOld = request.minor === 0
    this.#isBodiless = isBodiless(request, response)
    const isStream = response.framing === Framing.stream && !this.#isBodiless
    this.#isChunking = isStream && !isOld
    // RFC 9112 section 6.1: HTTP/1.0 is never told of codings, in an answer without a body neither.
    const coded = exchange.plainBody ? CODED : 0
    const isDecoded = response.framing === Framing.chunked && exchange.plainBody
    // Where the client cannot see the end of the body otherwise, it is the end of the connection.
    const needsClose = response.framing === Framing.close || isDecoded || (isStream && isOld)
    // What a client sends behind a CONNECT it does not mean as requests, and may not have waited to be refused.
    const isDenied = request.method === Method.connect
    const ends = needsClose || isDenied || this.#host.isDraining || !mayFollow
    if (!isTunnel && (ends || !request.persistent)) this.close()
    const hop = response.status === 101 ? HOP_BY_HOP & ~UPGRADE : HOP_BY_HOP
    // Nor is anybody promised trailers that are not going to be sent.
    const promised = this.#isChunking && !request.trailersWelcome ? TRAILER : 0
    this.#cut = hop | coded | promised
    this.#responseLines = exchange.responseLines
    this.#hopLine = this.#hopLineOf(response, isOld)
    this.#head = response
    this.#staging.head(this.#isChunking)
    this.#hasHead = true
  }

  #hopLineOf({ status }: Head, isOld: boolean): Buffer | undefined {
    if (status === 101) return UPGRADE_LINE
    if (this.isLast) return CLOSE_LINE
    return isOld ? KEEP_ALIVE_LINE : undefined
  }

  #writeHead(head: Head): void {
    const { writer } = this.#host
    writer.response(head, this.#cut)
    if (this.#isChunking) writer.addLines(CHUNKED_LINE)
    if (this.#responseLines !== undefined) writer.addLines(this.#responseLines)
    if (this.#hopLine !== undefined) writer.addLines(this.#hopLine)
    this.#head = undefined
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
    // What followed such a head would be taken for the next response.
    if (!this.#isBodiless) this.#staging.body(bytes, start, end)
  }

  /** RFC 9110 section 6.5.1: only to a client that has said that it does not drop them. */
  trailers(fields: Head): void {
    if (this.#request.trailersWelcome) this.#staging.trailers(fields)
  }

  end(): void {
    this.isEnded = true
    this.#staging.end()
  }

  /** False if what was given must stay as it is, or no more is wanted for now. */
  flush(): boolean {
    if (this.#head !== undefined) this.#writeHead(this.#head)
    // All of a response in a buffer of our own: its source need not wait for the client.
    const isFree = this.isEnded && this.#staging.isWhole
    this.#staging.flush(this.#outlet)
    this.headSent ||= this.#hasHead
    // With nothing staged an interim response may still be on its way.
    return this.#outlet.isEmpty || isFree
  }

  discard(): void {
    this.#staging.discard()
    this.#head = undefined
    if (!this.headSent) this.#hasHead = false
  }

  over(): void {
    this.isOver = true
  }

  close(): void {
    this.isLast = true
  }
}

/** RFC 9112 section 6.3: whatever the fields say, and whatever codec it came in. */
function isBodiless({ method }: Head, { status }: Head): boolean {
  return method === Method.head || status === 204 || status === 304
}
