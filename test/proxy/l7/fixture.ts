// The way of requests over real loopback sockets, in the test's own process: the real listener, reception, stages and
// pools between a raw client and raw backends, with a clock that the test turns.

import type { Test } from 'tap'
import { makePicker } from '../../../src/proxy/balance/picker.ts'
import type { Listener, Sockets } from '../../../src/proxy/net/connection.ts'
import { chooseSockets } from '../../../src/proxy/net/sockets.ts'
import { Outbound } from '../../../src/proxy/outbound.ts'
import { Reception } from '../../../src/proxy/reception.ts'
import { DEFAULT_ROUTE } from '../../../src/proxy/route/make-route.ts'
import { RouteTable } from '../../../src/proxy/route/route-table.ts'
import { CounterRegistry } from '../../../src/proxy/stack/counters.ts'
import { Destination, type Mode, type Protocol } from '../../../src/proxy/stack/destination.ts'
import { Endpoint } from '../../../src/proxy/stack/endpoint.ts'
import type { RequestCounters } from '../../../src/proxy/stack/request-counters.ts'
import { Sessions } from '../../../src/proxy/upstream/sessions.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { RawBackend, RawClient, type Script } from '../../support/http-peer.ts'
import { messages } from '../../support/http-text.ts'
import { logLines } from '../../support/log-lines.ts'
import { until } from '../../support/until.ts'

export const CONNECT_TIMEOUT = 1000
export const IDLE_TIMEOUT = 60_000

const SERVICE = 'shop.default'
const PORT = 80
const LABEL = `${SERVICE}:${PORT}`

export type Kind = Sockets['kind']
export const KINDS: readonly Kind[] = ['raw', 'streams']

export interface Options {
  readonly kind?: Kind
  /** What the port is declared to speak; `http` unless said otherwise. */
  readonly protocol?: Protocol
  readonly mode?: Mode
  /** Of the service, and of the whole proxy. */
  readonly maxConnections?: number
  readonly maxOpen?: number
  readonly idleTimeout?: number
}

/** Where endpoints are: backends, or bare ports of 127.0.0.1 (or of another address). */
export type Place = RawBackend | number | { readonly ip: string; readonly port: number }

export class L7 {
  readonly clock: FakeClock = new FakeClock()
  readonly counters: CounterRegistry = new CounterRegistry()
  readonly lines: Record<string, unknown>[]
  readonly sessions: Sessions
  readonly reception: Reception
  readonly destination: Destination
  /** What the proxy knows by name; it may be added to. */
  readonly services: Map<string, Destination>
  readonly #sockets: Sockets
  readonly #clients: RawClient[] = []
  #listener: Listener | undefined

  /** A proxy with a listener for one service that has these endpoints, used in turn; closed with the test. */
  static async start(t: Test, places: readonly Place[], options: Options = {}): Promise<L7> {
    const f = new L7(places, options)
    t.teardown(async () => {
      await f.close()
    })
    await f.#listen()
    return f
  }

  private constructor(places: readonly Place[], options: Options) {
    const { log, lines } = logLines()
    this.lines = lines
    this.#sockets = chooseSockets(options.kind === 'streams' ? 'streams' : 'auto').sockets
    const limits = { keepAlive: 0, maxConnections: options.maxOpen ?? 10_000 }
    this.sessions = new Sessions(this.#sockets, this.clock, limits, this.counters, log)
    this.reception = new Reception(this.sessions, options.mode ?? 'l7', this.counters, log)
    this.destination = new Destination(
      'outbound',
      LABEL,
      this.pickerOf(places),
      {
        connectTimeout: CONNECT_TIMEOUT,
        idleTimeout: options.idleTimeout ?? IDLE_TIMEOUT,
        maxConnections: options.maxConnections,
      },
      DEFAULT_ROUTE,
    )
    this.destination.protocol = options.protocol ?? 'http'
    this.services = new Map([[LABEL, this.destination]])
  }

  pickerOf(places: readonly Place[]): Destination['picker'] {
    const endpoints = places.map((place) => {
      const address =
        typeof place === 'number'
          ? { ip: '127.0.0.1', port: place }
          : { ip: '127.0.0.1', ...(place instanceof RawBackend ? { port: place.port } : place) }
      const key = `${address.ip}:${address.port}`
      return new Endpoint(address, 1, this.counters.of('outbound', LABEL, key))
    })
    // A seed with which the first endpoint is the first one chosen.
    return makePicker({ algorithm: 'roundRobin', affinity: { kind: 'none' } }, endpoints, () => 0)
  }

  async #listen(): Promise<void> {
    const { sessions, reception, counters } = this
    const originalDestination = (): never => {
      throw new Error('nothing is redirected here')
    }
    const parts = { sessions, reception, counters, originalDestination, observer: undefined }
    const table = new RouteTable(new Map(), this.services, new Set())
    const rules = { egress: 'deny', connectTimeout: 1000, idleTimeout: 1000 } as const
    const acceptor = new Outbound(parts, { table }, rules).explicit(SERVICE, PORT)
    const address = { ip: '127.0.0.1', port: 0 }
    this.#listener = await this.#sockets.listen(address, acceptor, { keepAlive: 0 })
  }

  get port(): number {
    return this.#listener?.address.port ?? 0
  }

  get kind(): Kind {
    return this.#sockets.kind
  }

  async client(): Promise<RawClient> {
    const client = await RawClient.connect(this.port)
    this.#clients.push(client)
    return client
  }

  /** Sends it from a new client, and gives all that comes back once `count` messages have come whole. */
  async exchange(text: string, count = 1): Promise<string> {
    const client = await this.client()
    await client.send(text)
    return await client.until((all) => messages(all).length >= count, `${count} messages`)
  }

  /** The same while time goes on, for what is sent again after a while. */
  async exchangeInTime(text: string, count = 1): Promise<string> {
    let isOver = false
    const answer = this.exchange(text, count).finally(() => {
      isOver = true
    })
    await until('it is answered', () => {
      if (!isOver) this.clock.advance(10)
      return isOver
    })
    return await answer
  }

  /** Refused messages by reason. */
  get refusals(): Record<string, number> {
    return Object.fromEntries(
      [...this.counters.refusals()].map(({ message, reason, count }) => [
        `${message} ${reason}`,
        count,
      ]),
    )
  }

  /** Failed requests by error, over all endpoints. */
  get failures(): Record<string, number> {
    const all: Record<string, number> = {}
    for (const { failures } of this.#requests()) {
      for (const [code, count] of failures) all[code] = (all[code] ?? 0) + count
    }
    return all
  }

  /** Requests that are over, by status, over all endpoints. */
  get statuses(): Record<number, number> {
    const all: Record<number, number> = {}
    for (const requests of this.#requests()) {
      for (const [status, count] of requests.statuses()) all[status] = (all[status] ?? 0) + count
    }
    return all
  }

  /** Of every endpoint and every route. */
  *#requests(): Iterable<RequestCounters> {
    for (const line of this.counters.all()) {
      for (const [, requests] of line.byRoute()) yield requests
    }
  }

  /** Everything that must be 0 when nothing is under way, and idle connections are not counted. */
  get underWay(): Record<string, number> {
    const { endpoints } = this.destination.picker
    const lines = [...this.counters.all()]
    return {
      endpoints: endpoints.reduce((sum, { open }) => sum + open, 0),
      active: lines.reduce((sum, { active }) => sum + active, 0),
      pending: this.destination.pending.length,
      sessions: this.sessions.size,
    }
  }

  /** Connections to endpoints that are open, idle ones included. */
  get connected(): number {
    return [...this.counters.all()].reduce((sum, { opened, closed }) => sum + opened - closed, 0)
  }

  async settled(what = 'nothing is under way'): Promise<void> {
    await until(what, () => Object.values(this.underWay).every((count) => count === 0))
  }

  events(event: string): Record<string, unknown>[] {
    return this.lines.filter((line) => line['event'] === event)
  }

  async close(): Promise<void> {
    this.#listener?.close()
    for (const { socket } of this.#clients) socket.destroy()
    this.sessions.abort()
    this.reception.stop()
    this.sessions.stop()
  }
}

/** A backend that is closed with the test. */
export async function backend(
  t: Test,
  script: Script,
  options?: Parameters<typeof RawBackend.listen>[1],
): Promise<RawBackend> {
  const made = await RawBackend.listen(script, options)
  t.teardown(async () => {
    await made.close()
  })
  return made
}

/** A port of 127.0.0.1 that refuses connections. */
export async function refusingPort(): Promise<number> {
  const gone = await RawBackend.listen(() => undefined)
  await gone.close()
  return gone.port
}

export const get = (path = '/', fields = ''): string =>
  `GET ${path} HTTP/1.1\r\nHost: a.example\r\n${fields}\r\n`
export const post = (body: string, fields = '', path = '/'): string =>
  `POST ${path} HTTP/1.1\r\nHost: a.example\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`

/** Runs a test over both kinds of sockets. */
export function onBoth(t: Test, name: string, body: (t: Test, kind: Kind) => Promise<void>): void {
  for (const kind of KINDS) void t.test(`${name} (${kind})`, async (t) => body(t, kind))
}
