// The settings of `underpass proxy`, as they are after parsing: validated, defaults filled in.
//
// How they are read from a file and the environment is left to config.ts.

import type { SocketAddress } from '../lib/address.ts'
import type { Millis } from '../lib/duration.ts'
import type { LogLevel } from '../lib/log.ts'
import type { H2Limits } from './http/h2/h2-limits.ts'

/** Files in PEM, by their absolute paths. */
export interface TlsSettings {
  readonly certificate: string
  readonly key: string
}

export interface OutboundListener {
  readonly address: SocketAddress
  /** `name.namespace`. */
  readonly service: string
  readonly port: number
  /** Absent where clients come without TLS. */
  readonly tls?: TlsSettings
}

export interface InboundListener {
  readonly address: SocketAddress
  readonly target: SocketAddress
  readonly tls?: TlsSettings
}

/** Requests that the application works on at once, for each of its ports. */
export interface ConcurrencySettings {
  /** Undefined for no limit. */
  readonly limit: number | undefined
  /** Requests that wait at most. */
  readonly pending: number
  /** `gradient`: the limit follows latency, from `min` to `limit` (1000 if there is none). */
  readonly adaptive: 'off' | 'gradient'
  readonly min: number
}

export interface Settings {
  /** What connections are carried as where no policy says it; PUT /mode changes it. */
  readonly mode: 'l4' | 'l7'
  /** Processes that carry the traffic; with more than one, another leads them. */
  readonly workers: number
  readonly admin: SocketAddress | undefined
  /** Serves /live, /ready and /metrics to others. */
  readonly metrics: SocketAddress | undefined
  readonly outbound: {
    readonly transparent: SocketAddress | undefined
    readonly listeners: readonly OutboundListener[]
    /** For destinations outside the mesh; those inside have a TrafficPolicy. */
    readonly connectTimeout: Millis
    readonly idleTimeout: Millis
  }
  readonly inbound: {
    readonly transparent: SocketAddress | undefined
    readonly listeners: readonly InboundListener[]
    /** How long the application may take to accept. */
    readonly connectTimeout: Millis
    readonly idleTimeout: Millis
    readonly concurrency: ConcurrencySettings
  }
  /** What is taken of an HTTP/2 connection before it is ended. */
  readonly http2: H2Limits
  readonly discovery: {
    /** A manifest file or folder; undefined for none. */
    readonly files: string | undefined
  }
  /** `auto`: libuv handles where this Node.js has them; `streams`: always Node's public sockets. */
  readonly sockets: 'auto' | 'streams'
  readonly egress: 'allow' | 'deny'
  /** At most so many connections are open at once; more are refused. */
  readonly maxConnections: number
  /** TCP keepalive on both sides of every connection: first probe after so long without a segment; 0 for none. */
  readonly keepAlive: Millis
  /** After SIGTERM or /quit, connections may go on for so long. */
  readonly drainGrace: Millis
  readonly logLevel: LogLevel
  /** `name.namespace` of what this proxy stands beside; empty if it was not said. */
  readonly workload: string
  readonly accessLog: 'off' | 'json'
  readonly tracing: {
    /** The whole URL that spans are sent to; undefined for no tracing. */
    readonly endpoint: string | undefined
    /** The share of requests without a traceparent that are traced, 0 to 1. */
    readonly sample: number
  }
}
