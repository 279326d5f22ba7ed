// What is counted about connections, by direction, service and endpoint: plain numbers that the hot path adds to.
//
// Of requests there is more, in request-counters.ts, for the lines that have any.
// Looked up when an endpoint is made, never when a connection is. The registry forgets a line some time after its
// endpoint is gone, so that what comes and goes does not fill the memory. Exposition is left to telemetry.

import type { ErrorCode } from '../../lib/errors.ts'
import { Http2Counters, type Http2Role } from './http2-counters.ts'
import { RequestCounters } from './request-counters.ts'
import { DEFAULT_NAME } from './route.ts'

/** Of a line: a policy may have 64, and those of policies that were replaced are not forgotten at once. */
const MOST_ROUTES = 128

export type Direction = 'outbound' | 'inbound'

/** Messages that were refused for the same reason, which is one of a closed set (http/h1/refusal.ts). */
export interface RefusalCount {
  readonly direction: Direction
  readonly message: 'request' | 'response'
  readonly reason: string
  count: number
}

/** HTTP/2 connections of one direction and side. */
export interface Http2Line {
  readonly direction: Direction
  readonly role: Http2Role
  readonly counters: Http2Counters
}

export class ConnectionCounters {
  readonly direction: Direction
  /** `name.namespace:port`, or `egress`, or `local` for the application of the pod. */
  readonly service: string
  /** `ip:port`; empty where addresses come from traffic and could be without number. */
  readonly endpoint: string
  opened = 0
  closed = 0
  /** Bytes from the client. */
  received = 0
  /** Bytes to the client. */
  sent = 0
  readonly connectFailures: Map<ErrorCode, number> = new Map()
  /** When discovery last had this endpoint; undefined while it has it. */
  retiredAt: number | undefined
  /** Of requests that no route of a policy matched; undefined as long as there were none. */
  requests: RequestCounters | undefined
  /** Of the others, by the name of their route. */
  routes: Map<string, RequestCounters> | undefined

  constructor(direction: Direction, service: string, endpoint: string) {
    this.direction = direction
    this.service = service
    this.endpoint = endpoint
    this.retiredAt = undefined
    this.requests = undefined
    this.routes = undefined
  }

  /** What is counted about its requests of that route; the same object as long as any of them is active. */
  forRequests(route: string = DEFAULT_NAME): RequestCounters {
    if (route !== DEFAULT_NAME) return this.#forRoute(route)
    this.requests ??= new RequestCounters()
    return this.requests
  }

  /** Those that were made, by the name of the route. */
  *byRoute(): Iterable<[route: string, requests: RequestCounters]> {
    if (this.requests !== undefined) yield [DEFAULT_NAME, this.requests]
    if (this.routes !== undefined) yield* this.routes
  }

  /** Requests that an endpoint is working on now. */
  get active(): number {
    let sum = 0
    for (const [, requests] of this.byRoute()) sum += requests.active
    return sum
  }

  #forRoute(name: string): RequestCounters {
    this.routes ??= new Map()
    const known = this.routes.get(name)
    if (known !== undefined) return known
    if (this.routes.size >= MOST_ROUTES) forgetOldest(this.routes)
    const made = new RequestCounters()
    this.routes.set(name, made)
    return made
  }

  countConnectFailure(reason: ErrorCode): void {
    this.connectFailures.set(reason, (this.connectFailures.get(reason) ?? 0) + 1)
  }
}

/** Names come from policies, which can be edited without end. */
function forgetOldest(routes: Map<string, RequestCounters>): void {
  for (const [name, { active }] of routes) {
    if (active > 0) continue
    routes.delete(name)
    return
  }
}

/** How long the counters of an endpoint that is gone are kept, as in Linkerd. */
const KEEP_RETIRED = 600_000

const HTTP2_SIDES: readonly (readonly [Direction, Http2Role])[] = [
  ['outbound', 'downstream'],
  ['outbound', 'upstream'],
  ['inbound', 'downstream'],
  ['inbound', 'upstream'],
]

export class CounterRegistry {
  readonly #lines = new Map<string, ConnectionCounters>()
  readonly #errors = new Map<string, { direction: Direction; reason: ErrorCode; count: number }>()
  readonly #refusals = new Map<string, RefusalCount>()
  readonly #http2: readonly Http2Line[] = HTTP2_SIDES.map(([direction, role]) => ({
    direction,
    role,
    counters: new Http2Counters(),
  }))

  /** The counters of these three, the same object for the same words. */
  of(direction: Direction, service: string, endpoint: string): ConnectionCounters {
    const key = `${direction} ${service} ${endpoint}`
    const known = this.#lines.get(key)
    if (known !== undefined) {
      known.retiredAt = undefined
      return known
    }
    const made = new ConnectionCounters(direction, service, endpoint)
    this.#lines.set(key, made)
    return made
  }

  countError(direction: Direction, reason: ErrorCode): void {
    const key = `${direction} ${reason}`
    const line = this.#errors.get(key) ?? { direction, reason, count: 0 }
    line.count += 1
    this.#errors.set(key, line)
  }

  /** A message that the codec did not accept. */
  countRefusal(direction: Direction, message: RefusalCount['message'], reason: string): void {
    const key = `${direction} ${message} ${reason}`
    const line = this.#refusals.get(key) ?? { direction, message, reason, count: 0 }
    line.count += 1
    this.#refusals.set(key, line)
  }

  all(): Iterable<ConnectionCounters> {
    return this.#lines.values()
  }

  errors(): Iterable<{ direction: Direction; reason: ErrorCode; count: number }> {
    return this.#errors.values()
  }

  refusals(): Iterable<Readonly<RefusalCount>> {
    return this.#refusals.values()
  }

  /** What is counted of HTTP/2 connections of that direction and side: always the same object. */
  http2Of(direction: Direction, role: Http2Role): Http2Counters {
    const found = this.#http2.find((line) => line.direction === direction && line.role === role)
    if (found === undefined) throw new Error(`no HTTP/2 line for ${direction} ${role}`)
    return found.counters
  }

  http2(): readonly Http2Line[] {
    return this.#http2
  }

  /** Forgets what was retired long ago and has no open connection and no request under way. */
  expire(now: number): void {
    for (const [key, line] of this.#lines) {
      const old = line.retiredAt !== undefined && now - line.retiredAt > KEEP_RETIRED
      const busy = line.opened !== line.closed || line.active > 0
      if (old && !busy) this.#lines.delete(key)
    }
  }
}
