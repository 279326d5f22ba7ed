// A span in the form of OpenTelemetry, with the names and attributes of its semantic conventions for HTTP, and those for
// gRPC where the request is a call.
//
// Loaded with the exporter, when tracing is on.

import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import type { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import type { Resource } from '@opentelemetry/resources'
import type { Millis } from '../../lib/duration.ts'
import { GrpcStatus, grpcName } from '../../lib/grpc-status.ts'
import { METHOD_NAMES } from '../http/method.ts'
import type { Direction } from '../stack/counters.ts'
import { isServerFailure } from '../stack/grpc.ts'
import type { Observation } from '../stack/observation.ts'
import type { Span } from './span.ts'
import { SAMPLED } from './trace-context.ts'

export type ReadableSpan = Parameters<OTLPTraceExporter['export']>[0][number]
type Attributes = ReadableSpan['attributes']

const SCOPE = { name: 'underpass' }
/** What the semantic conventions want out of `url.query`: signatures that are as good as a password. */
const SIGNATURES = /(^|&)(AWSAccessKeyId|Signature|sig|X-Goog-Signature)=[^&]*/g

/** A call's path: the service, and its method. */
const CALL = /^\/([\w.]{1,200})\/(\w{1,100})$/

/** The span as OpenTelemetry's exporter takes it. */
export function readable(span: Span, resource: Resource): ReadableSpan {
  const { traceId, spanId, parentId, startedAt } = span.observation
  const context = { traceId, spanId, traceFlags: SAMPLED }
  const parent = { traceId, spanId: parentId, traceFlags: SAMPLED, isRemote: true }
  return {
    name: nameOf(span),
    kind: span.direction === 'inbound' ? SpanKind.SERVER : SpanKind.CLIENT,
    spanContext: () => context,
    ...(parentId === '' ? {} : { parentSpanContext: parent }),
    startTime: timeOf(startedAt),
    endTime: timeOf(startedAt + span.duration),
    duration: timeOf(span.duration),
    ended: true,
    status: failed(span)
      ? { code: SpanStatusCode.ERROR, message: span.details }
      : { code: SpanStatusCode.UNSET },
    attributes: attributesOf(span),
    links: [],
    events: [],
    resource,
    instrumentationScope: SCOPE,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  }
}

/** Of a call the whole name of its method; so that names are few, only if a server knew it. */
function nameOf({ observation, isGrpc, grpcStatus }: Span): string {
  const { method, target } = observation
  if (isGrpc && grpcStatus !== GrpcStatus.unimplemented && CALL.test(target)) return target.slice(1)
  return METHOD_NAMES.includes(method) ? method : 'HTTP'
}

/**
 * A 4xx is an error of who asked, so it is one of a client's span and not of a server's. So it is with the codes of gRPC,
 * but that the conventions count UNIMPLEMENTED among a server's errors.
 */
function failed({ direction, status, error, isGrpc, grpcStatus }: Span): boolean {
  const isInbound = direction === 'inbound'
  if (error !== undefined || status >= (isInbound ? 500 : 400)) return true
  if (!isGrpc || grpcStatus === GrpcStatus.ok) return false
  return !isInbound || isServerFailure(grpcStatus) || grpcStatus === GrpcStatus.unimplemented
}

function attributesOf(span: Span): Attributes {
  const { observation, direction, service, source, endpoint, status, error, attempts } = span
  const known = METHOD_NAMES.includes(observation.method)
  const peer = direction === 'inbound' ? source : endpoint?.ip
  const attributes: Attributes = {
    'http.request.method': known ? observation.method : '_OTHER',
    'http.request.method_original': known ? undefined : observation.method,
    ...urlAttributes(observation, direction),
    ...(span.isGrpc ? callAttributes(span) : {}),
    // To a call the mesh itself answers with 200, whatever its error would be in HTTP.
    'http.response.status_code':
      status === 0 || (span.isGrpc && error !== undefined) ? undefined : status,
    'http.request.resend_count': attempts > 1 ? attempts - 1 : undefined,
    'network.protocol.name': 'http',
    'network.protocol.version': span.version,
    'network.peer.address': peer === '' ? undefined : peer,
    'network.peer.port': direction === 'inbound' ? undefined : endpoint?.port,
    'client.address': direction === 'inbound' && source !== '' ? source : undefined,
    'error.type': failed(span) ? errorType(span) : undefined,
    'underpass.service': service,
  }
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined))
}

function errorType({ error, status, isGrpc, grpcStatus }: Span): string {
  return error ?? (isGrpc && status === 200 ? grpcName(grpcStatus) : String(status))
}

function callAttributes({ observation, grpcStatus }: Span): Attributes {
  const [, service, method] = CALL.exec(observation.target) ?? []
  return {
    'rpc.system': 'grpc',
    'rpc.service': service,
    'rpc.method': method,
    'rpc.grpc.status_code': grpcStatus,
  }
}

function urlAttributes({ target, authority }: Observation, direction: Direction): Attributes {
  const [, host, port] = /^(.*?)(?::(\d+))?$/.exec(authority) ?? []
  const local = target.replace(/^https?:\/\/[^/?]*/i, '')
  const [path = '', ...rest] = local.split('?')
  const query = rest.join('?').replace(SIGNATURES, '$1$2=REDACTED')
  const shown = rest.length === 0 ? path : `${path}?${query}`
  return {
    'url.scheme': 'http',
    'url.path': local.startsWith('/') || local.startsWith('?') ? path || '/' : undefined,
    'url.query': query === '' ? undefined : query,
    // RFC 9110 section 7.1: of an outgoing request, everything that names what it is for.
    'url.full':
      direction === 'outbound' && authority !== '' ? `http://${authority}${shown}` : undefined,
    'server.address': host === '' ? undefined : host,
    'server.port': port === undefined ? undefined : Number(port),
  }
}

/** Seconds and nanoseconds. */
function timeOf(time: Millis): [number, number] {
  const micros = Math.round(time * 1000)
  const seconds = Math.floor(micros / 1_000_000)
  return [seconds, (micros - seconds * 1_000_000) * 1000]
}
