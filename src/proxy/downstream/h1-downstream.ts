// A client's HTTP/1.1 connection: its requests are read one after another, each is sent on its way through the stages,
// and its response is written back.
//
// Reading goes on while a response is awaited, so that a client that goes away is noticed; what it sends too early
// (pipelining) is held until its turn. Everything that a read brought is found sound before any of it is passed on.
// How a connection ends that is not closed at once, and tunnels, are in the files beside this one.

import type { Millis } from '../../lib/duration.ts'
import { ERRORS, type ErrorCode } from '../../lib/errors.ts'
import { Field, fieldBits } from '../http/fields.ts'
import { Event } from '../http/h1/event.ts'
import type { Head } from '../http/head.ts'
import { Method } from '../http/method.ts'
import { type Refusal, refusalName, requestStatus } from '../http/refusal.ts'
import type { Connection, Receiver } from '../net/connection.ts'
import { Outlet } from '../net/outlet.ts'
import { TICK } from '../net/ticker.ts'
import type { Carried } from '../stack/carried.ts'
import type { Destination } from '../stack/destination.ts'
import { type Downstream, Exchange, type TunnelEnd } from '../stack/exchange.ts'
import { isUnanswered } from './answer.ts'
import type { DownstreamHost, Successor } from './host.ts'
import { Lingering } from './lingering.ts'
import { ownAnswer } from './max-forwards.ts'
import { RequestInput } from './request-input.ts'
import { ResponseOutput } from './response-output.ts'
import { isTooStill } from './stillness.ts'
import { Tunnel } from './tunnel.ts'
import { stripUnofferedUpgrade } from './upgrade.ts'

/** Ticks that the head of a request may take. */
const HEAD_TICKS = 60

/** How long the rest of a request is waited for when its answer is complete. */
const ABANDONED: Millis = 3000
const MAX_FORWARDS = fieldBits(Field.maxForwards)

const READING = 0
const BUSY = 1
/** Somebody else has the connection: it lingers, is a tunnel, or is closed. */
const GONE = 2

export class H1Downstream implements Receiver, Downstream, Carried {
  readonly #exchange: Exchange
  readonly #connection: Connection
  readonly #host: DownstreamHost
  readonly #outlet: Outlet
  readonly #input: RequestInput
  readonly #response: ResponseOutput
  #state: number = READING
  #isPumping = false
  #isOpened = false
  #clientEnded = false
  #ticks = 0
  #lastActive: number
  #successor: Successor | undefined

  constructor(
    connection: Connection,
    destination: Destination,
    source: string,
    depth: number,
    host: DownstreamHost,
  ) {
    this.#connection = connection
    this.#host = host
    this.#outlet = new Outlet(connection)
    this.#input = new RequestInput(host.limits)
    this.#response = new ResponseOutput(this.#input.head, this.#outlet, host)
    this.#exchange = new Exchange(destination, this, this.#input.head, source, depth)
    this.#lastActive = host.ticker.now
    this.#successor = undefined
    connection.receiver = this
  }

  /** Begins, with bytes that were read already. */
  start(bytes: Buffer | undefined): void {
    this.#connection.readStart()
    if (bytes !== undefined) this.#pump(bytes, 0)
  }

  get hasBegun(): boolean {
    return this.#response.headSent
  }

  get isAnswered(): boolean {
    return this.#response.isComplete
  }

  onData(_: Connection, chunk: Buffer): void {
    this.#lastActive = this.#host.ticker.now
    if (this.#isSettled) this.#hold(chunk, 0)
    else this.#pump(chunk, 0)
  }

  onDrain(): void {
    this.#lastActive = this.#host.ticker.now
    if (!this.#outlet.drained()) return
    if (this.#response.isOver) this.#next()
    else this.#exchange.upstream?.resume()
  }

  onEnd(): void {
    this.#clientEnded = true
    this.#ended()
  }

  onFinished(): void {
    // Its end is left to whoever ends it.
  }

  onError(_: Connection, code: string): void {
    this.#broken('downstream-reset', code)
  }

  ready(): void {
    this.#pass()
  }

  interim(response: Head): void {
    this.#response.interim(response)
  }

  head(response: Head): void {
    this.#response.head(response, this.#exchange, this.#mayFollow)
  }

  body(bytes: Buffer, start: number, end: number): void {
    this.#response.body(bytes, start, end)
  }

  trailers(fields: Head): void {
    this.#response.trailers(fields)
  }

  end(): void {
    this.#response.end()
  }

  flush(): boolean {
    this.#lastActive = this.#host.ticker.now
    return this.#response.flush()
  }

  discard(): void {
    this.#response.discard()
  }

  resume(): void {
    if (this.#state !== GONE && this.#input.held === undefined && !this.#clientEnded) {
      this.#connection.readStart()
    }
  }

  over(): void {
    if (this.#state !== BUSY) return
    this.#response.over()
    if (this.#outlet.isEmpty || this.#response.isLast || !this.#input.isWhole) this.#next()
  }

  fail(error: ErrorCode): void {
    if (this.#state !== BUSY) return
    this.#response.discard()
    if (this.#response.headSent || isUnanswered(error)) this.#reset()
    else this.#answer(error, this.#input.head.method !== Method.head)
  }

  tunnel(upstream: TunnelEnd, bytes: Buffer | undefined): void {
    this.#response.flush()
    const fromClient = this.#input.next()?.subarray(this.#input.heldAt)
    const start = {
      ...{ client: this.#connection, outlet: this.#outlet, clientEnded: this.#clientEnded },
      ...{ upstream, fromUpstream: bytes, fromClient },
    }
    this.#state = GONE
    this.#successor = new Tunnel(this.#exchange, start, this.#host, () => {
      this.#host.closed(this, this.#exchange)
    })
  }

  sweep(now: number): void {
    this.#successor?.sweep(now, this.#exchange.destination.idleTimeout)
    if (this.#state === GONE) return
    const idle = now - this.#lastActive
    this.#ticks = this.#state === READING && !this.#input.reader.idle ? this.#ticks + 1 : 0
    if (this.#ticks >= HEAD_TICKS) {
      this.#refuse('request-timeout', '', ERRORS['request-timeout'].status)
    } else if (this.#response.isComplete && idle >= ABANDONED) {
      this.#abandonRequest()
    } else if (isTooStill(this.#exchange, idle, this.#state === BUSY)) {
      if (this.#state === BUSY) this.#broken('idle-timeout', '')
      else this.#farewell()
    } else if (idle >= TICK && this.#connection.isGone()) {
      this.#broken('downstream-reset', 'gone')
    } else if (idle >= 2 * TICK) {
      this.#connection.rest()
      if (this.#state === READING) this.#input.rest(this.#exchange)
    }
  }

  drain(): void {
    if (this.#state === READING && this.#input.reader.idle && this.#input.held === undefined)
      this.#farewell()
  }

  abort(error: ErrorCode): void {
    this.#successor?.abort(error)
    if (this.#state === GONE) return
    if (this.#state === BUSY) this.#broken(error, '')
    else this.#reset()
  }

  /** Reads what is at hand, and goes on with what was held as long as requests end at once. */
  #pump(chunk: Buffer, from: number): void {
    this.#isPumping = true
    this.#read(chunk, from)
    while (this.#state === READING) {
      const held = this.#input.next()
      if (held === undefined) break
      this.#read(held, this.#input.heldAt)
    }
    this.#isPumping = false
    if (this.#clientEnded) this.#ended()
    else if (this.#state === READING) this.#awaitNext()
  }

  /** The client sends nothing more, but may wait for its answers. */
  #ended(): void {
    if (this.#state === GONE || this.#isSettled || this.#input.held !== undefined) return
    if (this.#response.isComplete) this.#abandonRequest()
    else if (this.#state === BUSY) this.#broken('downstream-reset', 'ended within a request')
    else if (this.#input.reader.idle) this.#farewell()
    else this.#refuseRead(this.#input.reader.close())
  }

  /** The request at hand has come whole. */
  get #isSettled(): boolean {
    return this.#state === BUSY && this.#input.isWhole
  }

  /** Another request may come on the same connection. */
  get #mayFollow(): boolean {
    return this.#input.isWhole && (!this.#clientEnded || this.#input.held !== undefined)
  }

  #read(chunk: Buffer, from: number): void {
    const input = this.#input
    const { reader, head } = input
    let event = input.read(chunk, from, this.#exchange)
    if (event === Event.head) {
      this.#begin(head)
      event = input.read(chunk, reader.position, this.#exchange)
    }
    if (event === Event.refused) {
      this.#refuseRead(reader.refusal)
      return
    }
    if (this.#state !== BUSY) return
    if (reader.position < chunk.length) this.#hold(chunk, reader.position)
    if (this.#isOpened) this.#pass()
    else this.#open()
  }

  #begin(head: Head): void {
    const exchange = this.#exchange
    exchange.begin(this.#host.clock.now())
    exchange.requestBytes = head.end - head.start
    exchange.plainBody = head.minor === 0
    stripUnofferedUpgrade(head, exchange)
    this.#state = BUSY
    this.#isOpened = false
    this.#response.begin()
  }

  #open(): void {
    const exchange = this.#exchange
    const { head } = this.#input
    const lines = head.has(MAX_FORWARDS) ? ownAnswer(head, exchange) : undefined
    if (lines !== undefined) {
      this.#answerOwn(lines)
      return
    }
    this.#isOpened = true
    exchange.destination.requests?.open(exchange)
    // What is staged lies in the connection's buffer, which must stay as it is until it can be sent.
    if (this.#state === BUSY && exchange.upstream === undefined) this.#connection.readStop()
  }

  /** Gives upstream what was read. */
  #pass(): void {
    const { upstream } = this.#exchange
    if (upstream === undefined) {
      this.#connection.readStop()
      return
    }
    const isTaken = this.#input.giveTo(upstream, this.#exchange)
    // With that the exchange may have ended.
    if (this.#state !== BUSY) return
    if (isTaken) this.resume()
    else this.#connection.readStop()
  }

  #hold(chunk: Buffer, at: number): void {
    this.#input.hold(chunk, at)
    this.#connection.readStop()
  }

  /** The exchange is over: the next request, or the end. */
  #next(): void {
    if (this.#response.isLast || !this.#input.isWhole) {
      this.#farewell()
      return
    }
    this.#state = READING
    this.#response.begin()
    if (this.#input.reader.isPaused) this.#input.reader.resume()
    if (this.#isPumping) return
    const held = this.#input.next()
    if (held === undefined) this.#awaitNext()
    else this.#pump(held, this.#input.heldAt)
  }

  #awaitNext(): void {
    if (this.#clientEnded) this.#ended()
    else if (this.#host.isDraining && this.#input.reader.idle) this.#farewell()
    else this.resume()
  }

  /** The answer is complete, and the rest of the request does not come. */
  #abandonRequest(): void {
    const exchange = this.#exchange
    exchange.upstream?.cancel()
    exchange.now = this.#host.clock.now()
    exchange.lowest?.ended(exchange, undefined)
  }

  /** The client is gone, or must go. */
  #broken(error: ErrorCode, details: string): void {
    if (this.#state !== BUSY || this.#response.isOver) {
      this.#reset()
      return
    }
    const exchange = this.#exchange
    exchange.upstream?.cancel()
    exchange.details = details
    exchange.lowest?.ended(exchange, error)
  }

  #refuseRead(refusal: Refusal): void {
    this.#refuse('request-refused', refusalName(refusal), requestStatus(refusal))
  }

  #refuse(error: ErrorCode, reason: string, status: number): void {
    const exchange = this.#exchange
    const isUnderWay = this.#state === BUSY && this.#isOpened
    // A head that is not whole says nothing about the method.
    const hasBody = this.#state !== BUSY || this.#input.head.method !== Method.head
    if (!isUnderWay) exchange.begin(this.#host.clock.now())
    exchange.details = reason
    if (!this.#response.headSent) exchange.status = status
    this.#response.close()
    this.#host.refused(exchange, error, reason)
    this.#state = BUSY
    if (isUnderWay) {
      exchange.upstream?.cancel()
      exchange.lowest?.ended(exchange, error)
    } else {
      this.#host.answered(exchange, error)
      this.#answer(error, hasBody)
    }
  }

  #answer(error: ErrorCode, hasBody: boolean): void {
    this.#response.answer(this.#exchange, error, { hasBody, mayFollow: this.#mayFollow })
    if (this.#outlet.isEmpty || this.#response.isLast) this.#next()
  }

  /** The request ends with us. */
  #answerOwn(lines: string): void {
    this.#exchange.status = 200
    this.#host.answered(this.#exchange, undefined)
    this.#response.answerOwn(lines, { hasBody: true, mayFollow: this.#mayFollow })
    if (this.#outlet.isEmpty || this.#response.isLast) this.#next()
  }

  /** In order: what was written arrives, what still comes is thrown away. */
  #farewell(): void {
    this.#state = GONE
    this.#successor = new Lingering(this.#connection, this.#outlet, this.#clientEnded, () => {
      this.#host.closed(this, this.#exchange)
    })
  }

  #reset(): void {
    this.#state = GONE
    this.#connection.reset()
    this.#host.closed(this, this.#exchange)
  }
}
