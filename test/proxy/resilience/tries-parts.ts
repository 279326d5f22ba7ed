// Both ends of the retry policy under test: a client's side that keeps what it is told, endpoints that do what a test
// says, and somebody who keeps what is said of their health.

import type { ErrorCode } from '../../../src/lib/errors.ts'
import { Event } from '../../../src/proxy/http/h1/event.ts'
import { ResponseReader } from '../../../src/proxy/http/h1/response-reader.ts'
import { askedBy } from '../../../src/proxy/http/h1/response-rules.ts'
import type { Head } from '../../../src/proxy/http/head.ts'
import { DEFAULT_LIMITS } from '../../../src/proxy/http/limits.ts'
import type { Endpoint, Pool } from '../../../src/proxy/stack/endpoint.ts'
import type { Downstream, Exchange, Upstream } from '../../../src/proxy/stack/exchange.ts'
import { grpcStatusOf } from '../../../src/proxy/stack/grpc.ts'
import type { Health } from '../../../src/proxy/stack/health.ts'
import type { FakeClock } from '../../support/fake-clock.ts'

/** The client's side. */
export class Client implements Downstream {
  readonly said: string[] = []
  hasBegun = false
  isAnswered = false
  exchange: Exchange | undefined
  /** The rest of the request, which is given when it may be. */
  body: Downstream['body'] = (bytes, start, end) => {
    this.said.push(`body ${bytes.toString('latin1', start, end)}`)
  }

  constructor() {
    this.exchange = undefined
  }

  ready(): void {
    this.said.push('ready')
  }

  interim(): void {
    this.said.push('interim')
  }

  head(response: Head): void {
    this.said.push(`head ${response.status}`)
  }

  trailers(): void {
    this.said.push('trailers')
  }

  end(): void {
    this.said.push('end')
  }

  flush(): boolean {
    this.hasBegun = true
    return true
  }

  discard(): void {
    // Nothing is staged here.
  }

  resume(): void {
    this.said.push('resume')
  }

  over(): void {
    this.said.push('over')
  }

  fail(error: ErrorCode): void {
    this.said.push(`fail ${error}`)
  }

  tunnel(): void {
    this.said.push('tunnel')
  }
}

/** One try of a request at an endpoint. */
export class Try implements Upstream {
  readonly exchange: Exchange
  readonly endpoint: Endpoint
  readonly sentHead: string
  readonly heard: string[] = []
  readonly #pool: FakePool
  isSent = false
  isOver = false

  constructor(exchange: Exchange, endpoint: Endpoint, pool: FakePool) {
    this.exchange = exchange
    this.endpoint = endpoint
    this.sentHead = exchange.request.text(exchange.request.start, exchange.request.end)
    this.#pool = pool
  }

  /** It goes out, whole or but for what comes later. */
  send(isWhole = true): this {
    const { exchange } = this
    exchange.sent += 1
    exchange.upstream = this
    exchange.requestEnded = false
    this.isSent = true
    exchange.downstream.ready()
    if (!isWhole) return this
    exchange.kept = Buffer.from(this.sentHead, 'latin1')
    exchange.requestEnded = true
    return this
  }

  /** The head of a response arrives, with these lines. */
  head(status: number, ...fields: readonly string[]): this {
    const { exchange } = this
    const text = [`HTTP/1.1 ${status} X`, ...fields, 'Content-Length: 0', '', ''].join('\r\n')
    const reader = new ResponseReader(DEFAULT_LIMITS)
    reader.expect(askedBy(exchange.request))
    const bytes = Buffer.from(text, 'latin1')
    if (reader.read(bytes, 0, bytes.length) !== Event.head) throw new Error(`refused: ${text}`)
    exchange.now = this.#pool.clock.now()
    exchange.status = status
    exchange.response = reader.head
    if (exchange.isGrpc) exchange.grpcStatus = grpcStatusOf(reader.head)
    exchange.responseBytes += bytes.length
    this.#pool.headers(exchange)
    if (!this.isOver) exchange.downstream.flush()
    return this
  }

  /** The response is through; with a code, trailers have said it. */
  finish(grpcStatus?: number): void {
    const { exchange } = this
    if (grpcStatus !== undefined) exchange.grpcStatus = grpcStatus
    this.#leave()
    exchange.downstream.end()
    exchange.now = this.#pool.clock.now()
    this.#pool.ended(exchange, undefined)
  }

  answer(status: number, ...fields: readonly string[]): void {
    this.head(status, ...fields)
    if (!this.isOver) this.finish()
  }

  fail(error: ErrorCode, details = 'broken'): void {
    const { exchange } = this
    this.#leave()
    exchange.downstream.discard()
    exchange.details = details
    this.#pool.ended(exchange, error)
  }

  body(bytes: Buffer, start: number, end: number): void {
    if (end > start) this.heard.push(bytes.toString('latin1', start, end))
  }

  trailers(fields: Head): void {
    this.heard.push(`${fields.count} trailers`)
  }

  end(): void {
    this.exchange.requestEnded = true
  }

  flush(): boolean {
    return true
  }

  resume(): void {
    this.heard.push('resume')
  }

  cancel(): void {
    this.heard.push('cancel')
    this.#leave()
  }

  abandon(): void {
    this.heard.push('abandon')
    this.#leave()
  }

  #leave(): void {
    if (this.isOver) throw new Error('it was over already')
    this.isOver = true
    this.exchange.upstream = undefined
  }
}

/** Of one endpoint. */
export class FakePool implements Pool {
  readonly isRetired = false
  readonly hasIdle = false
  readonly clock: FakeClock
  readonly #endpoint: Endpoint
  readonly #began: (made: Try) => void
  readonly #live = new Map<Exchange, Try>()

  constructor(endpoint: Endpoint, clock: FakeClock, began: (made: Try) => void) {
    this.#endpoint = endpoint
    this.clock = clock
    this.#began = began
  }

  open(exchange: Exchange): void {
    exchange.lowest = this
    const made = new Try(exchange, this.#endpoint, this)
    this.#live.set(exchange, made)
    this.#began(made)
  }

  headers(exchange: Exchange): void {
    exchange.chooser?.headers(exchange)
  }

  /** One that was not sent yet has no other way to hear of it. */
  ended(exchange: Exchange, error: ErrorCode | undefined): void {
    const made = this.#live.get(exchange)
    if (made !== undefined) made.isOver = true
    this.#live.delete(exchange)
    exchange.chooser?.ended(exchange, error)
  }

  hasIdleFor(): boolean {
    return false
  }

  evict(): boolean {
    return false
  }

  retire(): void {
    // There is nothing to let go of.
  }
}

/** What the endpoints' health is told. */
export class HealthLog implements Health {
  readonly isPanicking = false
  readonly isRamping = false
  readonly failsFast = false
  readonly ejected = 0
  readonly said: string[] = []

  chosen(_: Exchange, endpoint: Endpoint): void {
    this.said.push(`chosen ${endpoint.key}`)
  }

  answered({ status }: Exchange, endpoint: Endpoint): void {
    this.said.push(`answered ${endpoint.key} ${status}`)
  }

  concluded({ grpcStatus }: Exchange, endpoint: Endpoint): void {
    this.said.push(`concluded ${endpoint.key} ${grpcStatus}`)
  }

  failed(_: Exchange, endpoint: Endpoint, error: ErrorCode): void {
    this.said.push(`failed ${endpoint.key} ${error}`)
  }

  left(_: Exchange, endpoint: Endpoint): void {
    this.said.push(`left ${endpoint.key}`)
  }

  sweep(): void {
    // There is nothing that time does.
  }

  view(): ReturnType<Health['view']> {
    return {
      ...{ state: 'closed', consecutiveFailures: 0, successRate: NaN },
      ...{ ejections: 0, ejectedFor: 0 },
    }
  }
}
