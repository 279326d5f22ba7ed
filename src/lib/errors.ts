// Every failure the mesh can name, in one table, and the one error class that carries them.
//
// The code is the word that appears everywhere: in the log line, in the metric's `reason`, in the README's table
// (a test holds the two together). `proxyStatus` is the RFC 9209 section 2.3 error type an HTTP client is told.
// How a failure is answered on the wire is left to the direction that met it.

import { GrpcStatus } from './grpc-status.ts'

/** Who is at fault: the peer that connected to us, the peer we connect to, or this proxy and its configuration. */
export type Source = 'downstream' | 'upstream' | 'proxy'

export interface ErrorKind {
  readonly proxyStatus: string
  /** What an HTTP client is answered, where there is one: as RFC 9209 recommends for the type, unless we know better. */
  readonly status: number
  /** What a client of gRPC is answered, see `grpcStatusOfError`. */
  readonly grpc: GrpcStatus
  readonly source: Source
  /** True if no byte can have reached an application, so that another endpoint may be tried. */
  readonly retriable: boolean
  readonly title: string
}

export type ErrorCode =
  | 'endpoint-refused'
  | 'endpoint-timeout'
  | 'endpoint-unreachable'
  | 'endpoint-reset'
  | 'connect-failed'
  | 'no-endpoints'
  | 'service-unknown'
  | 'egress-denied'
  | 'not-local'
  | 'proxy-loop'
  | 'original-destination-unknown'
  | 'connection-limit'
  | 'handshake-failed'
  | 'upstream-reset'
  | 'downstream-reset'
  | 'idle-timeout'
  | 'drain-timeout'
  | 'request-refused'
  | 'request-timeout'
  | 'response-refused'
  | 'stream-refused'
  | 'http2-error'
  | 'http2-limit'
  | 'response-incomplete'
  | 'pending-limit'
  | 'request-limit'
  | 'circuit-open'
  | 'response-timeout'
  | 'per-try-timeout'
  | 'deadline-exceeded'
  | 'deadline-unmeetable'
  | 'overloaded'
  | 'fault-injected'
  | 'configuration-invalid'
  | 'manifest-invalid'
  | 'init-failed'
  | 'internal'

export const ERRORS: Readonly<Record<ErrorCode, ErrorKind>> = {
  'endpoint-refused': {
    proxyStatus: 'connection_refused',
    status: 502,
    grpc: GrpcStatus.unavailable,
    source: 'upstream',
    retriable: true,
    title: 'the endpoint refused the connection',
  },
  'endpoint-timeout': {
    proxyStatus: 'connection_timeout',
    status: 504,
    grpc: GrpcStatus.unavailable,
    source: 'upstream',
    retriable: true,
    title: 'the endpoint did not answer within the connect timeout',
  },
  'endpoint-unreachable': {
    proxyStatus: 'destination_ip_unroutable',
    status: 502,
    grpc: GrpcStatus.unavailable,
    source: 'upstream',
    retriable: true,
    title: 'no route leads to the endpoint',
  },
  'endpoint-reset': {
    proxyStatus: 'connection_terminated',
    status: 502,
    grpc: GrpcStatus.unavailable,
    source: 'upstream',
    retriable: true,
    title:
      'the endpoint reset the connection before a byte went either way, as one without its application does',
  },
  'connect-failed': {
    proxyStatus: 'destination_unavailable',
    status: 503,
    grpc: GrpcStatus.unavailable,
    source: 'upstream',
    retriable: true,
    title: 'the connection to the endpoint failed for another reason, given in the details',
  },
  'no-endpoints': {
    proxyStatus: 'destination_unavailable',
    status: 503,
    grpc: GrpcStatus.unavailable,
    source: 'upstream',
    retriable: false,
    title: 'the service has no ready endpoint',
  },
  'service-unknown': {
    proxyStatus: 'destination_not_found',
    status: 502,
    grpc: GrpcStatus.unavailable,
    source: 'proxy',
    retriable: false,
    title: 'the service or port that was asked for is not one that discovery has',
  },
  'egress-denied': {
    proxyStatus: 'destination_ip_prohibited',
    status: 403,
    grpc: GrpcStatus.permissionDenied,
    source: 'proxy',
    retriable: false,
    title: 'the destination is outside the mesh and egress is denied',
  },
  'not-local': {
    proxyStatus: 'destination_ip_prohibited',
    status: 421,
    grpc: GrpcStatus.unavailable,
    source: 'downstream',
    retriable: false,
    title: 'an inbound connection was meant for an address that is not one of this pod',
  },
  'proxy-loop': {
    proxyStatus: 'proxy_loop_detected',
    status: 502,
    grpc: GrpcStatus.internal,
    source: 'proxy',
    retriable: false,
    title: 'the connection leads back to this proxy',
  },
  'original-destination-unknown': {
    proxyStatus: 'proxy_internal_error',
    status: 500,
    grpc: GrpcStatus.internal,
    source: 'proxy',
    retriable: false,
    title: 'the kernel did not say where the connection was going',
  },
  'connection-limit': {
    proxyStatus: 'connection_limit_reached',
    status: 503,
    grpc: GrpcStatus.unavailable,
    source: 'proxy',
    retriable: false,
    title: 'a limit on connections or file descriptors is reached',
  },
  'handshake-failed': {
    proxyStatus: 'tls_protocol_error',
    status: 502,
    grpc: GrpcStatus.unavailable,
    source: 'downstream',
    retriable: false,
    title: 'the TLS handshake with the client failed, or was not over within ten seconds',
  },
  'upstream-reset': {
    proxyStatus: 'connection_terminated',
    status: 502,
    grpc: GrpcStatus.unavailable,
    source: 'upstream',
    retriable: false,
    title: 'the endpoint reset the open connection, or closed it before it had answered',
  },
  'downstream-reset': {
    proxyStatus: 'connection_terminated',
    status: 400,
    grpc: GrpcStatus.cancelled,
    source: 'downstream',
    retriable: false,
    title: 'the client reset the open connection, or went away before it had its answer',
  },
  'idle-timeout': {
    proxyStatus: 'connection_read_timeout',
    status: 504,
    grpc: GrpcStatus.deadlineExceeded,
    source: 'proxy',
    retriable: false,
    title: 'no byte moved in either direction for the idle timeout',
  },
  'drain-timeout': {
    proxyStatus: 'connection_terminated',
    status: 503,
    grpc: GrpcStatus.unavailable,
    source: 'proxy',
    retriable: false,
    title: 'the proxy stopped and the connection outlived the grace',
  },
  'request-refused': {
    proxyStatus: 'http_request_error',
    status: 400,
    grpc: GrpcStatus.internal,
    source: 'downstream',
    retriable: false,
    title:
      'the request is malformed or ambiguous; the details name the rule, the status may be another one of 4xx or 5xx',
  },
  'request-timeout': {
    proxyStatus: 'http_request_error',
    status: 408,
    grpc: GrpcStatus.deadlineExceeded,
    source: 'downstream',
    retriable: false,
    title: 'the head of the request did not come within a minute',
  },
  'stream-refused': {
    proxyStatus: 'destination_unavailable',
    status: 503,
    grpc: GrpcStatus.unavailable,
    source: 'upstream',
    retriable: false,
    title: 'the endpoint did not process the request (REFUSED_STREAM, or GOAWAY before it)',
  },
  'http2-error': {
    proxyStatus: 'http_protocol_error',
    status: 502,
    grpc: GrpcStatus.internal,
    source: 'downstream',
    retriable: false,
    title: 'a peer broke the rules of HTTP/2, and its connection was ended with GOAWAY',
  },
  'http2-limit': {
    proxyStatus: 'connection_limit_reached',
    status: 503,
    grpc: GrpcStatus.resourceExhausted,
    source: 'downstream',
    retriable: false,
    title: 'a peer exceeded a limit on an HTTP/2 connection, which was ended with GOAWAY',
  },
  'response-refused': {
    proxyStatus: 'http_protocol_error',
    status: 502,
    grpc: GrpcStatus.internal,
    source: 'upstream',
    retriable: false,
    title: 'the response of the endpoint is malformed or ambiguous; the details name the rule',
  },
  'response-incomplete': {
    proxyStatus: 'http_response_incomplete',
    status: 502,
    grpc: GrpcStatus.unavailable,
    source: 'upstream',
    retriable: false,
    title: 'the endpoint ended the connection in the middle of its response',
  },
  'pending-limit': {
    proxyStatus: 'connection_limit_reached',
    status: 503,
    grpc: GrpcStatus.unavailable,
    source: 'proxy',
    retriable: false,
    title: 'all connections to the service are in use, and too many requests wait for one',
  },
  'request-limit': {
    proxyStatus: 'connection_limit_reached',
    status: 503,
    grpc: GrpcStatus.unavailable,
    source: 'proxy',
    retriable: false,
    title: 'as many requests to the service are under way as its policy allows',
  },
  'circuit-open': {
    proxyStatus: 'destination_unavailable',
    status: 503,
    grpc: GrpcStatus.unavailable,
    source: 'proxy',
    retriable: false,
    title: 'every endpoint is ejected, and the policy does not let them be asked all the same',
  },
  'response-timeout': {
    proxyStatus: 'http_response_timeout',
    status: 504,
    grpc: GrpcStatus.deadlineExceeded,
    source: 'upstream',
    retriable: false,
    title: 'the head of the response did not come within the timeout for it',
  },
  'per-try-timeout': {
    proxyStatus: 'http_response_timeout',
    status: 504,
    grpc: GrpcStatus.deadlineExceeded,
    source: 'upstream',
    retriable: false,
    title: 'the endpoint did not answer within the timeout of a single try',
  },
  'deadline-exceeded': {
    proxyStatus: 'http_response_timeout',
    status: 504,
    grpc: GrpcStatus.deadlineExceeded,
    source: 'proxy',
    retriable: false,
    title: 'the time that the request had is over; the details say whose time it was',
  },
  'deadline-unmeetable': {
    proxyStatus: 'http_response_timeout',
    status: 504,
    grpc: GrpcStatus.deadlineExceeded,
    source: 'proxy',
    retriable: false,
    title: 'the request would have waited for the application until its time was over',
  },
  overloaded: {
    proxyStatus: 'connection_limit_reached',
    status: 503,
    grpc: GrpcStatus.unavailable,
    source: 'proxy',
    retriable: false,
    title: 'the application works on as many requests as it may, and too many wait',
  },
  'fault-injected': {
    proxyStatus: 'proxy_internal_response',
    status: 503,
    grpc: GrpcStatus.unavailable,
    source: 'proxy',
    retriable: false,
    title: 'a policy asked for this failure; the status is the one that it names',
  },
  'configuration-invalid': {
    proxyStatus: 'proxy_configuration_error',
    status: 500,
    grpc: GrpcStatus.internal,
    source: 'proxy',
    retriable: false,
    title: 'the configuration or command line was refused',
  },
  'manifest-invalid': {
    proxyStatus: 'proxy_configuration_error',
    status: 500,
    grpc: GrpcStatus.internal,
    source: 'proxy',
    retriable: false,
    title: 'a manifest was refused; the last good state stays in force',
  },
  'init-failed': {
    proxyStatus: 'proxy_internal_error',
    status: 500,
    grpc: GrpcStatus.internal,
    source: 'proxy',
    retriable: false,
    title: 'the redirects could not be installed, removed or verified',
  },
  internal: {
    proxyStatus: 'proxy_internal_error',
    status: 500,
    grpc: GrpcStatus.internal,
    source: 'proxy',
    retriable: false,
    title: 'a defect of the proxy itself',
  },
}

/** What was known when it happened: addresses, names, numbers. Never a secret. */
export type ErrorContext = Readonly<Record<string, string | number | boolean>>

/**
 * A failure the mesh expects. It has no stack trace (an expected failure's stack says nothing, and costs more
 * than the rest of the failure); the `cause` keeps its own.
 */
export class MeshError extends Error {
  readonly code: ErrorCode
  readonly context: ErrorContext

  constructor(code: ErrorCode, context: ErrorContext = {}, cause?: unknown) {
    const limit = Error.stackTraceLimit
    Error.stackTraceLimit = 0
    super(describe(code, context, cause), cause === undefined ? undefined : { cause })
    Error.stackTraceLimit = limit
    this.name = 'MeshError'
    this.code = code
    this.context = context
  }

  /** Anything thrown, as a MeshError: what is not one already is a defect of ours. */
  static from(error: unknown): MeshError {
    return error instanceof MeshError ? error : new MeshError('internal', {}, error)
  }

  get kind(): ErrorKind {
    return ERRORS[this.code]
  }
}

function describe(code: ErrorCode, context: ErrorContext, cause: unknown): string {
  const facts = Object.entries(context).map(([key, value]) => `${key}=${value}`)
  if (cause instanceof Error) facts.push(`cause=${cause.message}`)
  const said = `${code}: ${ERRORS[code].title}`
  return facts.length === 0 ? said : `${said} (${facts.join(', ')})`
}
