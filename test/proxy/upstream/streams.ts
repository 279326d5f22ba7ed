// A connection to an endpoint that carries what a client of HTTP/2 sent, with the client's side played by the test.

import type { ErrorCode } from '../../../src/lib/errors.ts'
import type { Head } from '../../../src/proxy/http/head.ts'
import { DEFAULT_LIMITS, type Limits } from '../../../src/proxy/http/limits.ts'
import { type Downstream, Exchange } from '../../../src/proxy/stack/exchange.ts'
import { H1Upstream, type UpstreamHost } from '../../../src/proxy/upstream/h1-upstream.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { fieldsOf } from '../http/h1/transcript.ts'
import { Wire } from '../http/streamed.ts'
import { destination } from '../resilience/bare-way.ts'

/** The client's side: notes what it is told, and gives what it is told to give. */
export class StreamClient implements Downstream {
  readonly said: string[] = []
  readonly hasBegun = false
  readonly isAnswered = false
  takes = true
  isReady: () => void = () => undefined

  ready(): void {
    this.isReady()
  }

  interim(response: Head): void {
    this.said.push(`interim ${response.status}`)
  }

  head(response: Head): void {
    this.said.push(`head ${response.status}`)
  }

  body(bytes: Buffer, start: number, end: number): void {
    this.said.push(`body ${bytes.toString('latin1', start, end)}`)
  }

  trailers(fields: Head): void {
    this.said.push(`trailers ${JSON.stringify(fieldsOf(fields))}`)
  }

  end(): void {
    this.said.push('end')
  }

  flush(): boolean {
    this.said.push('flush')
    return this.takes
  }

  discard(): void {
    this.said.push('discard')
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

export class Way implements UpstreamHost {
  readonly clock: FakeClock = new FakeClock()
  readonly limits: Limits = DEFAULT_LIMITS
  readonly counters = { received: 0, sent: 0 }
  readonly wire: Wire = new Wire()
  readonly client: StreamClient = new StreamClient()
  readonly upstream: H1Upstream
  exchange: Exchange
  readonly ends: (ErrorCode | 'well')[] = []
  released = (): void => undefined
  lost = (): void => undefined
  draining = (): void => undefined
  refused = (): void => undefined

  constructor(request: Head) {
    this.upstream = new H1Upstream(this.wire, this)
    this.exchange = this.#exchange(request)
  }

  #exchange(request: Head): Exchange {
    const exchange = new Exchange(destination(), this.client, request, '10.0.0.1', 1)
    exchange.speaks = 'http2'
    exchange.begin(0)
    exchange.plainBody = true
    exchange.endpoint = exchange.destination.picker.endpoints[0]
    exchange.attempt = 1
    return exchange
  }

  /** Another request on the same connection. */
  next(request: Head): void {
    this.exchange = this.#exchange(request)
  }

  headers(exchange: Exchange): void {
    if (exchange.response !== undefined) exchange.downstream.head(exchange.response)
  }

  ended(_: Exchange, error: ErrorCode | undefined): void {
    this.ends.push(error ?? 'well')
  }

  /** Sends it, with these pieces of its content in one flush, each in another place. */
  carry(...pieces: readonly string[]): boolean {
    this.upstream.carry(this.exchange)
    return this.give(...pieces)
  }

  give(...pieces: readonly string[]): boolean {
    this.stage(...pieces)
    return this.upstream.flush()
  }

  stage(...pieces: readonly string[]): void {
    for (const piece of pieces) {
      const bytes = Buffer.from(`-${piece}-`, 'latin1')
      this.upstream.body(bytes, 1, bytes.length - 1)
    }
  }

  end(trailers?: Head): boolean {
    if (trailers !== undefined) this.upstream.trailers(trailers)
    this.upstream.end()
    return this.upstream.flush()
  }
}
