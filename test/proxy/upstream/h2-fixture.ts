// Requests on their way to real servers of HTTP/2: balancing, pools and connections are the real ones, over loopback
// sockets; above them stands whoever made the request, with a clock that the test turns.

import type { Test } from 'tap'
import { seededRandom } from '../../../src/lib/random.ts'
import { makePicker } from '../../../src/proxy/balance/picker.ts'
import { RequestReader } from '../../../src/proxy/http/h1/request-reader.ts'
import { PREFACE } from '../../../src/proxy/http/h2/protocol.ts'
import { Framing, type Head } from '../../../src/proxy/http/head.ts'
import { DEFAULT_LIMITS } from '../../../src/proxy/http/limits.ts'
import type { Sockets } from '../../../src/proxy/net/connection.ts'
import { chooseSockets } from '../../../src/proxy/net/sockets.ts'
import { Reception } from '../../../src/proxy/reception.ts'
import { DEFAULT_ROUTE } from '../../../src/proxy/route/make-route.ts'
import { CounterRegistry } from '../../../src/proxy/stack/counters.ts'
import { Destination } from '../../../src/proxy/stack/destination.ts'
import { Endpoint } from '../../../src/proxy/stack/endpoint.ts'
import { type Downstream, Exchange, type Stage } from '../../../src/proxy/stack/exchange.ts'
import { Balancing } from '../../../src/proxy/upstream/balancing.ts'
import { Sessions } from '../../../src/proxy/upstream/sessions.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { type H2Answer, H2Server } from '../../support/h2-server.ts'
import { SETTINGS_ACK, settings, Type } from '../../support/h2-wire.ts'
import { logLines } from '../../support/log-lines.ts'
import { serve } from '../../support/tcp.ts'
import { until } from '../../support/until.ts'
import { Attacker } from '../attacks/attacker.ts'

export type Kind = 'raw' | 'streams'

export interface WayOptions {
  readonly kind?: Kind
  /** Instead of real ones. */
  readonly sockets?: Sockets
  readonly maxConnections?: number
}

/** Who made a request: gives it, takes the response, and keeps what it was told. */
export class Caller implements Downstream {
  readonly exchange: Exchange
  hasBegun = false
  isAnswered = false
  /** Does not take what comes from now on. */
  isSlow = false
  /** The request is all there. */
  isWhole = true
  headText = ''
  status = 0
  readonly interims: number[] = []
  text = ''
  trailerText: string | undefined
  ended = false
  /** Undefined as long as it is under way, empty if all went well. */
  outcome: string | undefined
  resumes = 0
  discards = 0
  /** What it was given and has not taken, and a copy of it. */
  readonly #held: Buffer[] = []
  readonly #copies: Buffer[] = []
  readonly #bytes: Buffer

  constructor(text: string, to: Destination) {
    this.#bytes = Buffer.from(text, 'latin1')
    const reader = new RequestReader(DEFAULT_LIMITS)
    reader.read(this.#bytes, 0, this.#bytes.length)
    this.exchange = new Exchange(to, this, reader.head, '', 0)
    this.exchange.begin(0)
    this.exchange.speaks = 'http2'
    this.trailerText = undefined
    this.outcome = undefined
  }

  ready(): void {
    const { upstream, request } = this.exchange
    if (upstream === undefined) return
    // An attempt is given all of it, in bytes of its own.
    const body = this.#bytes.subarray(this.#bytes.indexOf('\r\n\r\n') + 4)
    if (request.framing !== Framing.none) upstream.body(body, 0, body.length)
    if (this.isWhole) upstream.end()
    upstream.flush()
  }

  /** More of the body; false if no more is wanted for now. */
  give(text: string): boolean {
    const bytes = Buffer.from(text, 'latin1')
    this.exchange.upstream?.body(bytes, 0, bytes.length)
    return this.exchange.upstream?.flush() ?? true
  }

  finish(): void {
    this.isWhole = true
    this.exchange.upstream?.end()
    this.exchange.upstream?.flush()
  }

  interim({ status }: Head): void {
    this.interims.push(status)
  }

  head(response: Head): void {
    this.status = response.status
    this.headText = response.text(response.start, response.end)
  }

  body(bytes: Buffer, start: number, end: number): void {
    const piece = bytes.subarray(start, end)
    this.text += piece.toString('latin1')
    this.#held.push(piece)
    this.#copies.push(Buffer.from(piece))
  }

  trailers(fields: Head): void {
    this.trailerText = fields.text(fields.fieldsStart, fields.end)
  }

  end(): void {
    this.ended = true
  }

  flush(): boolean {
    this.hasBegun ||= this.status > 0
    if (this.isSlow && this.#held.length > 0) return false
    this.#forget()
    return true
  }

  /** Takes what it was given, and says so. True if that was still as it was. */
  take(): boolean {
    const isSame = this.#held.every((piece, at) => this.#copies[at]?.equals(piece))
    this.#forget()
    this.exchange.upstream?.resume()
    return isSame
  }

  discard(): void {
    this.discards += 1
  }

  resume(): void {
    this.resumes += 1
  }

  over(): void {
    this.outcome = ''
  }

  fail(error: string): void {
    this.outcome = error
  }

  tunnel(): void {
    this.outcome = 'tunnel'
  }

  async done(): Promise<this> {
    await until(`${this.exchange.request.target} is over`, () => this.outcome !== undefined)
    return this
  }

  #forget(): void {
    this.#held.length = 0
    this.#copies.length = 0
  }
}

export class Way implements Stage {
  readonly clock: FakeClock = new FakeClock()
  readonly counters: CounterRegistry = new CounterRegistry()
  readonly lines: Record<string, unknown>[]
  readonly reception: Reception
  readonly destination: Destination
  /** Statuses that are sent back as often as this says. */
  readonly unwanted: Map<number, number> = new Map<number, number>()
  readonly #sessions: Sessions
  readonly #balancing: Balancing

  constructor(t: Test, servers: readonly (H2Server | number)[], options: WayOptions = {}) {
    const { log, lines } = logLines()
    this.lines = lines
    const sockets =
      options.sockets ?? chooseSockets(options.kind === 'streams' ? 'streams' : 'auto').sockets
    const limits = { keepAlive: 0, maxConnections: 10_000 }
    this.#sessions = new Sessions(sockets, this.clock, limits, this.counters, log)
    this.reception = new Reception(this.#sessions, 'l7', this.counters, log, seededRandom(1))
    const endpoints = servers.map((server) => {
      const port = typeof server === 'number' ? server : server.port
      const line = this.counters.of('outbound', 'shop.default:80', `127.0.0.1:${port}`)
      return new Endpoint({ ip: '127.0.0.1', port }, 1, line)
    })
    const balancer = { algorithm: 'roundRobin', affinity: { kind: 'none' } } as const
    const rules = { connectTimeout: 1000, idleTimeout: 0, maxConnections: options.maxConnections }
    this.destination = new Destination(
      'outbound',
      'shop.default:80',
      makePicker(balancer, endpoints, () => 0),
      rules,
      DEFAULT_ROUTE,
    )
    this.#balancing = new Balancing(this.destination, this.reception, this)
    t.teardown(() => {
      this.reception.stop()
      this.#sessions.stop()
    })
  }

  caller(text: string): Caller {
    return new Caller(text, this.destination)
  }

  /** Sends it. */
  send(caller: Caller | string): Caller {
    const made = typeof caller === 'string' ? this.caller(caller) : caller
    made.exchange.now = this.clock.now()
    this.#balancing.open(made.exchange)
    return made
  }

  endpoint(at = 0): Endpoint {
    const found = this.destination.picker.endpoints[at]
    if (found === undefined) throw new Error(`no endpoint ${at}`)
    return found
  }

  /** Connections to endpoints that are open. */
  get connected(): number {
    return [...this.counters.all()].reduce((sum, { opened, closed }) => sum + opened - closed, 0)
  }

  get resends(): number {
    return [...this.counters.all()]
      .flatMap((line) => [...line.byRoute()])
      .reduce((sum, [, { resends }]) => sum + resends, 0)
  }

  open(): void {
    // Nothing comes down through it.
  }

  headers(exchange: Exchange): void {
    const left = this.unwanted.get(exchange.status) ?? 0
    if (left > 0) {
      this.unwanted.set(exchange.status, left - 1)
      exchange.upstream?.abandon()
      exchange.rewind()
      exchange.status = 0
      exchange.response = undefined
      exchange.responseBytes = 0
      this.#balancing.ended(exchange, undefined)
      return
    }
    if (exchange.response !== undefined) exchange.downstream.head(exchange.response)
  }

  ended(exchange: Exchange, error: string | undefined): void {
    const caller = exchange.downstream
    if (!(caller instanceof Caller)) throw new Error('not one of ours')
    if (error === undefined && this.#isBack(exchange)) {
      exchange.endpoint = undefined
      this.send(caller)
    } else if (error === undefined) caller.over()
    else caller.fail(error)
  }

  /** Its response was sent back. */
  #isBack({ response }: Exchange): boolean {
    return response === undefined
  }
}

export async function server(t: Test, answer: H2Answer, settings = {}): Promise<H2Server> {
  const made = await H2Server.listen(answer, settings)
  t.teardown(async () => {
    await made.close()
  })
  return made
}

/** An endpoint that sends frames as a test likes, asked for by the head of a request. Gives its port. */
export async function rawServer(
  t: Test,
  answer: (endpoint: Attacker, id: number) => void,
  values: readonly (readonly [number, number])[] = [],
): Promise<number> {
  const made = await serve((socket) => {
    const endpoint = new Attacker(socket, PREFACE)
    endpoint.send(settings(...values), SETTINGS_ACK)
    endpoint.onFrame = ({ type, stream }) => {
      if (type === Type.headers) answer(endpoint, stream)
    }
  })
  t.teardown(made.close)
  return made.port
}

export const get = (path = '/', fields = ''): string =>
  `GET ${path} HTTP/1.1\r\nHost: a.example\r\n${fields}\r\n`
export const post = (body: string, path = '/', fields = ''): string =>
  `POST ${path} HTTP/1.1\r\nHost: a.example\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`

/** Over both kinds of sockets. */
export function onBoth(t: Test, name: string, body: (t: Test, kind: Kind) => Promise<void>): void {
  for (const kind of ['raw', 'streams'] as const)
    void t.test(`${name} (${kind})`, async (t) => body(t, kind))
}

/** A port of 127.0.0.1 that refuses connections. */
export async function refusingPort(): Promise<number> {
  const gone = await H2Server.listen(() => undefined)
  await gone.close()
  return gone.port
}
