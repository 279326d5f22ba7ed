// What is counted about the requests of one line (direction, service, endpoint) and route: plain numbers that the hot
// path adds to, and the histogram of their latencies.
//
// Made when a line has its first request, so that lines of connections alone do not pay for it: about 700 bytes.
// All figures stand in one typed array, so that counting allocates nothing. Where a status is counted is the same for
// all lines and settled when it is first seen: few of the 900 that could be there ever are. The codes of gRPC are 17, and
// lines that carry none of it do without. Exposition is left to telemetry.

import type { Millis } from '../../lib/duration.ts'
import type { ErrorCode } from '../../lib/errors.ts'
import { GrpcStatus, MOST_GRPC_STATUS } from '../../lib/grpc-status.ts'

/** A request that has no response: the client went away, or it was reset. */
export const NO_STATUS = 0

const MILLISECONDS: readonly number[] = [
  0.5, 1, 2, 3, 4, 5, 7.5, 10, 20, 30, 40, 50, 75, 100, 200, 300, 400, 500, 750, 1000, 2000, 3000,
  4000, 5000, 7500, 10_000, 30_000, 60_000,
]

/** Upper bounds of the latency histogram, each included, in seconds; one more bucket has the rest. */
export const LATENCY_BOUNDS: readonly number[] = MILLISECONDS.map((bound) => bound / 1000)

/** Up to here every bound is a whole number of half milliseconds, and one look into a table finds the bucket. */
const FINE: Millis = 100
/** By half milliseconds, rounded up: the bucket. */
const BUCKETS: Uint8Array = Uint8Array.from({ length: 2 * FINE + 1 }, (_, halves) =>
  MILLISECONDS.findIndex((bound) => halves / 2 <= bound),
)
const FINE_END = MILLISECONDS.indexOf(FINE) + 1

/** The first bucket whose bound is not below that latency. */
export function bucketOf(latency: Millis): number {
  if (latency <= FINE) return BUCKETS[Math.ceil(latency * 2)] ?? 0
  let bucket = FINE_END
  while (bucket < MILLISECONDS.length && latency > (MILLISECONDS[bucket] ?? 0)) bucket += 1
  return bucket
}

/** Where the figures stand. */
const REQUEST_BYTES = 0
const RESPONSE_BYTES = 1
const LATENCY = 2
const LATENCIES = 3
const STATUSES = LATENCIES + MILLISECONDS.length + 1
const FIRST_STATUSES = 4

/** By status: where its count stands, 0 if no line has counted it yet. HTTP has three digits, the first not 0. */
const PLACES = new Uint16Array(1000)
/** The statuses that have a place, in the order of their places. */
const SEEN: number[] = []

export class RequestCounters {
  /** Requests that an endpoint is working on now; whoever gives it one adds and takes away. */
  active = 0
  /** Requests sent again because the endpoint had closed the connection that was to be reused, or refused the stream. */
  resends = 0
  readonly failures: Map<ErrorCode, number> = new Map()
  #figures = new Float64Array(STATUSES + FIRST_STATUSES)
  /** By code. */
  #calls: Float64Array | undefined = undefined

  /** One request is over: with that status or NO_STATUS, so long after its head was read, bytes of both bodies. */
  record(status: number, latency: Millis, requestBytes: number, responseBytes: number): void {
    const place = this.#placeOf(status)
    const figures = this.#figures
    const time = latency > 0 ? latency : 0
    const bucket = LATENCIES + bucketOf(time)
    figures[place] = (figures[place] ?? 0) + 1
    figures[bucket] = (figures[bucket] ?? 0) + 1
    figures[LATENCY] = (figures[LATENCY] ?? 0) + time
    figures[REQUEST_BYTES] = (figures[REQUEST_BYTES] ?? 0) + requestBytes
    figures[RESPONSE_BYTES] = (figures[RESPONSE_BYTES] ?? 0) + responseBytes
  }

  /** One that was recorded was a call of gRPC, and ended with that code. */
  recordCall(grpcStatus: number): void {
    this.#calls ??= new Float64Array(MOST_GRPC_STATUS + 1)
    const isKnown = grpcStatus >= 0 && grpcStatus <= MOST_GRPC_STATUS
    const code = isKnown ? grpcStatus : GrpcStatus.unknown
    this.#calls[code] = (this.#calls[code] ?? 0) + 1
  }

  /** A request that failed, whether or not there was a response to it. */
  countFailure(reason: ErrorCode): void {
    this.failures.set(reason, (this.failures.get(reason) ?? 0) + 1)
  }

  /** Whether there is anything to show. */
  get used(): boolean {
    return this.active > 0 || this.resends > 0 || this.failures.size > 0 || this.total > 0
  }

  /** Requests that are over. */
  get total(): number {
    return this.latencies().reduce((sum, count) => sum + count, 0)
  }

  get requestBytes(): number {
    return this.#figures[REQUEST_BYTES] ?? 0
  }

  get responseBytes(): number {
    return this.#figures[RESPONSE_BYTES] ?? 0
  }

  /** The latencies of all requests together, in milliseconds. */
  get latency(): Millis {
    return this.#figures[LATENCY] ?? 0
  }

  /** By bucket, the requests in it alone. */
  latencies(): Float64Array {
    return this.#figures.subarray(LATENCIES, STATUSES)
  }

  /** Statuses that occurred, in ascending order, with how often. */
  statuses(): [status: number, count: number][] {
    const counts = this.#figures.subarray(STATUSES)
    return SEEN.map((status, at): [number, number] => [status, counts[at] ?? 0])
      .filter(([, count]) => count > 0)
      .sort(([one], [other]) => one - other)
  }

  /** Codes of gRPC that occurred, in ascending order, with how often. */
  calls(): [grpcStatus: number, count: number][] {
    if (this.#calls === undefined) return []
    return [...this.#calls.entries()].filter(([, count]) => count > 0)
  }

  #placeOf(status: number): number {
    const place = PLACES[status] ?? 0
    return place > 0 && place < this.#figures.length ? place : this.#makePlace(status)
  }

  /** The slow way: at the first occurrence of a status. */
  #makePlace(status: number): number {
    const shown = PLACES[status] === undefined ? NO_STATUS : status
    if (PLACES[shown] === 0) PLACES[shown] = STATUSES + SEEN.push(shown) - 1
    const place = PLACES[shown] ?? STATUSES
    if (place >= this.#figures.length) {
      const figures = new Float64Array(place + 1 + FIRST_STATUSES)
      figures.set(this.#figures)
      this.#figures = figures
    }
    return place
  }
}
