// A client's HTTP/1.1 connection: its requests are read one after another, each is sent on its way through the stages,
// and its response is written back.
//
// Reading goes on while a response is awaited, so that a client that goes away is noticed; what it sends too early
// (pipelining) is held until its turn. Everything that a read brought is found sound before any of it is passed on.
// How a connection ends that is not closed at once, and tunnels, are in the files beside this one.

import type { Millis } from '../../lib/duration.ts'
import { ERRORS, type ErrorCode } from '../../lib/errors.ts'
import { Event } from '../http/h1/event.ts'
import type { Head } from '../http/h1/head.ts'
import { Method } from '../http/h1/method.ts'
import { type Refusal, refusalName, requestStatus } from '../http/h1/refusal.ts'
import { RequestReader } from '../http/h1/request-reader.ts'
import { Slices } from '../http/h1/slices.ts'
import type { Connection, Receiver } from '../net/connection.ts'
import { Outlet } from '../net/outlet.ts'
import { TICK } from '../net/ticker.ts'
import type { Carried } from '../stack/carried.ts'
import type { Destination } from '../stack/destination.ts'
import { type Downstream, Exchange, type TunnelEnd } from '../stack/exchange.ts'
import type { DownstreamHost, Successor } from './host.ts'
import { Lingering } from './lingering.ts'
import { ResponseOutput } from './response-output.ts'
import { Tunnel } from './tunnel.ts'
import { stripUnofferedUpgrade } from './upgrade.ts'

/** Ticks that the head of a request may take. */
const HEAD_TICKS = 60

/** How long the rest of a request is waited for when its answer is complete. */
const ABANDONED: Millis = 3000
/** Nobody is there to be answered, or there is no time for it. */
const UNANSWERED: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['downstream-reset', 'drain-timeout'])

const READING = 0
const BUSY = 1
/** Somebody else has the connection: it lingers, is a tunnel, or is closed. */
const GONE = 2

export class H1Downstream implements Receiver, Downstream, Carried {
  readonly #exchange: Exchange
  readonly #connection: Connection
  readonly #host: DownstreamHost
  readonly #outlet: Outlet
  readonly #reader: RequestReader
  /** What of the request's body was read and not passed on yet. */
  readonly #body: Slices = new Slices()
  readonly #response: ResponseOutput
  #state: number = READING
  /** Bytes that came before their turn, in the connection's own buffer, which is not read into meanwhile. */
  #held: Buffer | undefined
  #heldAt = 0
  #isPumping = false
  #isOpened = false
  #requestEnded = false
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
    this.#reader = new RequestReader(host.limits)
    this.#response = new ResponseOutput(this.#reader.head, this.#outlet, host)
    this.#exchange = new Exchange(destination, this, this.#reader.head, source, depth)
    this.#lastActive = host.ticker.now
    this.#held = undefined
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

  onData(_: Connection, chunk: Buffer): void {
    this.#lastActive = this.#host.ticker.now
    if (this.#state === BUSY && this.#requestEnded) this.#hold(chunk, 0)
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
    const isWaited = this.#state === BUSY && (this.#requestEnded || this.#held !== undefined)
    // It may be waiting for its answer with its own direction ended.
    if (isWaited) return
    if (this.#response.isComplete) this.#abandonRequest()
    else if (this.#state === BUSY) this.#broken('downstream-reset', 'ended within a request')
    else if (this.#held === undefined && this.#reader.idle) this.#farewell()
    else this.#refuseRead(this.#reader.close())
  }

  onFinished(): void {
    // Its end is left to whoever ends it.
  }

  onError(_: Connection, code: string): void {
    this.#broken('downstream-reset', code)
  }

  /** The request can be sent: gives what is there of its body. */
  ready(): void {
    const exchange = this.#exchange
    const { upstream, kept, request } = exchange
    if (upstream === undefined) return
    if (kept !== undefined) {
      upstream.body(kept, request.end, kept.length)
      upstream.end()
      upstream.flush()
      return
    }
    this.#pass()
  }

  interim(response: Head): void {
    this.#response.interim(response)
  }

  head(response: Head): void {
    this.#response.head(response, this.#exchange, this.#requestEnded && !this.#clientEnded)
  }

  body(bytes: Buffer, start: number, end: number): void {
    this.#response.body(bytes, start, end)
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
    if (this.#state !== GONE && this.#held === undefined && !this.#clientEnded) {
      this.#connection.readStart()
    }
  }

  over(): void {
    if (this.#state !== BUSY) return
    this.#response.over()
    if (this.#outlet.isEmpty || this.#response.isLast || !this.#requestEnded) this.#next()
  }

  fail(error: ErrorCode): void {
    if (this.#state !== BUSY) return
    this.#response.discard()
    if (this.#response.headSent || UNANSWERED.has(error)) this.#reset()
    else this.#answer(error, this.#reader.head.method !== Method.head)
  }

  tunnel(upstream: TunnelEnd, bytes: Buffer | undefined): void {
    this.#response.flush()
    const start = {
      ...{ client: this.#connection, outlet: this.#outlet, clientEnded: this.#clientEnded },
      ...{ upstream, fromUpstream: bytes, fromClient: this.#held?.subarray(this.#heldAt) },
    }
    this.#held = undefined
    this.#state = GONE
    this.#successor = new Tunnel(this.#exchange, start, this.#host, () => {
      this.#host.closed(this)
    })
  }

  sweep(now: number): void {
    const { idleTimeout } = this.#exchange.destination
    this.#successor?.sweep(now, idleTimeout)
    if (this.#state === GONE) return
    const idle = now - this.#lastActive
    this.#ticks = this.#state === READING && !this.#reader.idle ? this.#ticks + 1 : 0
    if (this.#ticks >= HEAD_TICKS) {
      this.#refuse('request-timeout', '', ERRORS['request-timeout'].status)
    } else if (this.#response.isComplete && idle >= ABANDONED) {
      this.#abandonRequest()
    } else if (idleTimeout > 0 && idle >= idleTimeout) {
      if (this.#state === BUSY) this.#broken('idle-timeout', '')
      else this.#farewell()
    } else if (idle >= TICK && this.#connection.isGone()) {
      this.#broken('downstream-reset', 'gone')
    } else if (idle >= 2 * TICK) {
      this.#connection.rest()
      if (this.#state === READING) this.#reader.release()
    }
  }

  drain(): void {
    if (this.#state === READING && this.#reader.idle && this.#held === undefined) this.#farewell()
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
    while (this.#state === READING && this.#held !== undefined) {
      const held = this.#held
      this.#held = undefined
      this.#read(held, this.#heldAt)
    }
    this.#isPumping = false
    if (this.#state === READING) this.#awaitNext()
  }

  #read(chunk: Buffer, from: number): void {
    const reader = this.#reader
    let event: Event
    let at = from
    do {
      event = reader.read(chunk, at, chunk.length)
      at = reader.position
      if (event === Event.head) {
        this.#begin(reader.head)
      } else if (event === Event.body) {
        const { body } = reader
        this.#exchange.requestBytes += body.sliceEnd - body.sliceStart
        this.#body.add(body.slice, body.sliceStart, body.sliceEnd)
      } else if (event === Event.end) {
        this.#requestEnded = true
      }
    } while (event === Event.head || event === Event.body)
    if (event === Event.refused) {
      this.#refuseRead(reader.refusal)
      return
    }
    if (this.#state !== BUSY) return
    if (at < chunk.length) this.#hold(chunk, at)
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
    this.#requestEnded = false
    this.#response.begin()
  }

  #open(): void {
    const exchange = this.#exchange
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
    this.#body.giveTo(upstream)
    if (this.#requestEnded) upstream.end()
    const isTaken = upstream.flush()
    // With that the exchange may have ended.
    if (this.#state !== BUSY) return
    if (isTaken) this.resume()
    else this.#connection.readStop()
  }

  #hold(chunk: Buffer, at: number): void {
    this.#held = chunk
    this.#heldAt = at
    this.#connection.readStop()
  }

  /** The exchange is over: the next request, or the end. */
  #next(): void {
    if (this.#response.isLast || !this.#requestEnded) {
      this.#farewell()
      return
    }
    this.#state = READING
    this.#body.clear()
    this.#response.begin()
    if (this.#reader.isPaused) this.#reader.resume()
    if (this.#isPumping) return
    const held = this.#held
    this.#held = undefined
    if (held === undefined) this.#awaitNext()
    else this.#pump(held, this.#heldAt)
  }

  #awaitNext(): void {
    if (this.#clientEnded || (this.#host.isDraining && this.#reader.idle)) this.#farewell()
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
    const hasBody = this.#state !== BUSY || this.#reader.head.method !== Method.head
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
    const isSettled = this.#requestEnded && !this.#clientEnded && this.#reader.head.persistent
    if (!isSettled || this.#host.isDraining) this.#response.close()
    this.#response.answer(this.#exchange, error, hasBody)
    if (this.#outlet.isEmpty || this.#response.isLast) this.#next()
  }

  /** In order: what was written arrives, what still comes is thrown away. */
  #farewell(): void {
    this.#state = GONE
    this.#held = undefined
    const closed = (): void => {
      this.#host.closed(this)
    }
    this.#successor = new Lingering(this.#connection, this.#outlet, this.#clientEnded, closed)
  }

  #reset(): void {
    this.#state = GONE
    this.#held = undefined
    this.#connection.reset()
    this.#host.closed(this)
  }
}
