// The response of one HTTP/2 request on its way out: staged as it comes, encoded when it leaves, or an answer of our own
// in its place.
//
// A head is encoded only when it is certain that it leaves: header compression remembers what it has seen. Bytes of a
// body are copied by the stream as far as they cannot leave in this turn. What a request leads to, and when its stream
// is over, is left to the request.

import type { ErrorCode } from '../../lib/errors.ts'
import { Field, fieldBits } from '../http/fields.ts'
import type { H2Stream } from '../http/h2/h2-stream.ts'
import { H2Error } from '../http/h2/protocol.ts'
import type { Head } from '../http/head.ts'
import { Slices } from '../http/slices.ts'
import type { Exchange } from '../stack/exchange.ts'
import { errorBody, errorLines } from './answer.ts'
import { GRPC_CONTENT_TYPE, grpcAnswer } from './grpc-answer.ts'

const LENGTH = fieldBits(Field.contentLength)
/** Such a response does not hold up where it comes from, although the client may not take it yet. */
const SMALL_BODY = 16_384

export class H2Response {
  /** The head of the response proper has left. */
  headSent = false
  readonly #stream: H2Stream
  #head: Head | undefined
  #hasLength = false
  readonly #body: Slices = new Slices()
  #trailers: Head | undefined
  #isEnded = false
  #endSent = false

  constructor(stream: H2Stream) {
    this.#stream = stream
    this.#head = undefined
    this.#trailers = undefined
  }

  /** For the next request. */
  begin(): void {
    this.headSent = false
    this.#isEnded = false
    this.#endSent = false
    this.#drop()
  }

  /** All of it has left. */
  get isComplete(): boolean {
    return this.#endSent && this.#stream.isWritable
  }

  interim(response: Head): void {
    if (this.headSent) return
    this.#stream.connection.heads.response(response, LENGTH)
    this.#stream.sendHead(false)
  }

  head(response: Head): void {
    this.#head = response
  }

  body(bytes: Buffer, start: number, end: number): void {
    this.#body.add(bytes, start, end)
  }

  trailers(fields: Head): void {
    this.#trailers = fields
  }

  end(): void {
    this.#isEnded = true
  }

  /** False if no more is wanted for now. */
  flush({ responseLines }: Exchange): boolean {
    const stream = this.#stream
    const isFree = this.#isEnded && this.#body.length <= SMALL_BODY
    if (this.#head !== undefined) this.#sendHead(this.#head, responseLines)
    const { bytes, start, end, more } = this.#body
    if (bytes !== undefined) {
      stream.sendData(bytes, start, end)
      if (more !== undefined) for (const slice of more) stream.sendData(slice, 0, slice.length)
      this.#body.clear()
    }
    if (this.#isEnded && !this.#endSent) {
      this.#endSent = true
      if (this.#trailers === undefined) stream.sendEnd()
      else stream.sendTrailers(this.#trailers, undefined)
      this.#trailers = undefined
    }
    return stream.isWritable || isFree
  }

  /** Drops what is staged. */
  discard(): void {
    this.#drop()
    if (!this.#endSent) this.#isEnded = false
  }

  /** Sends an answer of our own, instead of a response. */
  answer(exchange: Exchange, error: ErrorCode, hasBody: boolean): void {
    const { heads } = this.#stream.connection
    const { status, details, lastEndpoint, isGrpc } = exchange
    if (isGrpc) {
      // Of gRPC whatever came of a call is in its trailers, which may be all there is: the status is 200.
      heads.status(200)
      heads.add('content-type', GRPC_CONTENT_TYPE)
      heads.addLines(grpcLines(exchange, error))
      this.#sendAll(undefined)
      return
    }
    const body = errorBody(error)
    heads.status(status)
    const lines = errorLines(error, details, lastEndpoint?.key ?? '', body.length)
    heads.addLines(Buffer.from(lines, 'latin1'))
    this.#sendAll(hasBody ? body : undefined)
  }

  /** Sends a 200 of our own: lines of fields, an empty one and the content. */
  answerOwn(text: string): void {
    const { heads } = this.#stream.connection
    const content = text.indexOf('\r\n\r\n') + 4
    heads.status(200)
    heads.addLines(Buffer.from(text.slice(0, content - 2), 'latin1'))
    this.#sendAll(content < text.length ? Buffer.from(text.slice(content), 'latin1') : undefined)
  }

  /** The rest of a response that has begun does not come: says so, in the way that the client's protocol has for it. */
  breakOff(exchange: Exchange, error: ErrorCode, code: number): void {
    // With a Content-Length an orderly end would make it malformed (RFC 9113 section 8.1.1).
    if (!exchange.isGrpc || this.#hasLength) {
      this.#stream.reset(code)
      return
    }
    this.#endSent = true
    this.#stream.sendTrailers(undefined, grpcLines(exchange, error))
  }

  #sendHead(response: Head, lines: Buffer | undefined): void {
    const stream = this.#stream
    const { heads } = stream.connection
    this.#head = undefined
    this.headSent = true
    this.#hasLength = response.has(LENGTH)
    // RFC 9110 section 8.6: no Content-Length in a 204, not even of 0.
    heads.response(response, response.status === 204 ? LENGTH : 0)
    if (lines !== undefined) heads.addLines(lines)
    const isAll = this.#isEnded && this.#body.bytes === undefined && this.#trailers === undefined
    // What stages add was made by us: if it could break the head, nothing of it may leave.
    if (!stream.sendHead(isAll)) stream.reset(H2Error.internal)
  }

  #sendAll(body: Buffer | undefined): void {
    const stream = this.#stream
    this.headSent = true
    this.#isEnded = true
    this.#endSent = true
    if (!stream.sendHead(body === undefined)) {
      stream.reset(H2Error.internal)
    } else if (body !== undefined) {
      stream.sendData(body, 0, body.length)
      stream.sendEnd()
    }
  }

  #drop(): void {
    this.#head = undefined
    this.#trailers = undefined
    this.#body.clear()
  }
}

/** How a call of gRPC has ended, as lines of fields. */
function grpcLines({ status, details, lastEndpoint }: Exchange, error: ErrorCode): Buffer {
  const answer = grpcAnswer(error, status, details, lastEndpoint?.key ?? '')
  const lines = [
    `grpc-status: ${answer.code}\r\n`,
    `grpc-message: ${answer.message}\r\n`,
    `proxy-status: ${answer.proxyStatus}\r\n`,
  ]
  return Buffer.from(lines.join(''), 'latin1')
}
