// The access log: one JSON line a request, when it has ended, in the log of everything else.
//
// No header's value but the authority is in it. The target stands there with its query, as other proxies have it; it
// is bounded where it is noted. Written whatever `log.level` says: who switches it on wants to see it.

import type { Millis } from '../../lib/duration.ts'
import { grpcName } from '../../lib/grpc-status.ts'
import type { Log } from '../../lib/log.ts'
import type { Exchange } from '../stack/exchange.ts'
import type { Observation } from '../stack/observation.ts'
import { DEFAULT_NAME } from '../stack/route.ts'

export class AccessLog {
  readonly #log: Log

  constructor(log: Log) {
    this.#log = log.child({}, { level: 'info' })
  }

  /** `latency` is from the head of the request to the end of the response. */
  write(
    exchange: Exchange,
    { method, target, authority, traceId }: Observation,
    latency: Millis,
  ): void {
    const { destination, source, endpoint, status, error, details, route } = exchange
    // What is undefined is left out of the line.
    this.#log.info({
      event: 'request',
      direction: destination.direction,
      source: source === '' ? undefined : source,
      method,
      target,
      authority,
      protocol: protocolOf(exchange),
      service: destination.service,
      route: route.name === DEFAULT_NAME ? undefined : route.name,
      endpoint: endpoint?.key,
      status,
      grpcStatus: exchange.isGrpc ? grpcName(exchange.grpcStatus) : undefined,
      requestBytes: exchange.requestBytes,
      responseBytes: exchange.responseBytes,
      milliseconds: Math.round(latency * 10) / 10,
      attempts: exchange.attempt,
      error,
      details: details === '' ? undefined : details,
      traceId: traceId === '' ? undefined : traceId,
    })
  }
}

/** What the client speaks. */
function protocolOf({ speaks, request }: Exchange): string {
  return speaks === 'http2' ? 'HTTP/2' : `HTTP/1.${request.minor}`
}
