// What stages and codecs need to know of gRPC over HTTP/2: which requests are calls, how a call has ended, and which
// ends speak against the endpoint.
//
// Whether a call went well is not said by the status of HTTP, which is nearly always 200, but by `grpc-status`, in the
// trailers, or in the head where nothing else follows ("trailers-only"). Calls are read by their heads and trailers
// alone: no message in a body is looked at.

import { ERRORS, type ErrorCode } from '../../lib/errors.ts'
import { GrpcStatus, MOST_GRPC_STATUS } from '../../lib/grpc-status.ts'
import { HT, isDigit, PERCENT, SEMICOLON, SP, ZERO } from '../http/characters.ts'
import { Field, fieldBits } from '../http/fields.ts'
import type { Head } from '../http/head.ts'
import { NO_GRPC_STATUS } from './exchange.ts'

const TYPE = 'application/grpc'
const CONTENT_TYPE = fieldBits(Field.contentType)
const PLUS = 0x2b
const STATUS = 'grpc-status'
const OK = 200

/** What is asked of an exchange here. */
export interface Ended {
  /** HTTP's. */
  readonly status: number
  readonly isGrpc: boolean
  readonly grpcStatus: number
}

/** A call, or the response to one, by its Content-Type: `application/grpc` or `application/grpc+...`, not grpc-web. */
export function isGrpc(head: Head): boolean {
  const index = head.indexOf(Field.contentType)
  if (index < 0 || (head.repeated & CONTENT_TYPE) !== 0) return false
  const start = head.spans[index * 4 + 2] ?? 0
  const length = (head.spans[index * 4 + 3] ?? 0) - start
  if (length < TYPE.length || !head.reads(start, TYPE)) return false
  if (length === TYPE.length) return true
  const next = head.bytes[start + TYPE.length]
  return next === PLUS || next === SEMICOLON || next === SP || next === HT
}

/** What a head or trailers say that the call ended with; NO_GRPC_STATUS if they do not, UNKNOWN if it is no code. */
export function grpcStatusOf(fields: Head): number {
  const index = fields.find(STATUS)
  if (index < 0) return NO_GRPC_STATUS
  const start = fields.spans[index * 4 + 2] ?? 0
  const end = fields.spans[index * 4 + 3] ?? 0
  if (start === end || fields.find(STATUS, index + 1) >= 0) return GrpcStatus.unknown
  let value = 0
  for (let at = start; at < end; at++) {
    const byte = fields.bytes[at] ?? 0
    if (!isDigit(byte)) return GrpcStatus.unknown
    value = value * 10 + byte - ZERO
    if (value > MOST_GRPC_STATUS) return GrpcStatus.unknown
  }
  return value
}

/** "HTTP to gRPC status code mapping", for responses that do not say: those of proxies and of plain web servers. */
export function grpcStatusOfHttp(status: number): GrpcStatus {
  switch (status) {
    case 400:
      return GrpcStatus.internal
    case 401:
      return GrpcStatus.unauthenticated
    case 403:
      return GrpcStatus.permissionDenied
    case 404:
      return GrpcStatus.unimplemented
    case 429:
    case 502:
    case 503:
    case 504:
      return GrpcStatus.unavailable
    default:
      return GrpcStatus.unknown
  }
}

/**
 * What a client is told of an error; `status` is what it would be told in HTTP. Its library acts by it: UNAVAILABLE is
 * sent again where its service config says so. It stands wherever another attempt may be better off: nobody could be
 * reached, nobody took the call, the connection broke, a limit is reached (as other proxies have it: RESOURCE_EXHAUSTED
 * speaks of a quota that is the client's own). A time that is over is DEADLINE_EXCEEDED, whoever set it: the endpoint has
 * had the call and may have carried it out, which nothing should repeat of its own accord. What breaks rules is INTERNAL,
 * as HTTP's 400 is in gRPC's mapping.
 */
export function grpcStatusOfError(error: ErrorCode, status: number): GrpcStatus {
  return error === 'fault-injected' ? grpcStatusOfHttp(status) : ERRORS[error].grpc
}

/** As far as the head tells: its own word, or what another status of HTTP than 200 stands for. */
export function grpcStatusAtHead({ status, grpcStatus }: Ended): number {
  if (grpcStatus !== NO_GRPC_STATUS || status === OK) return grpcStatus
  return grpcStatusOfHttp(status)
}

/** Of a response that is through: without a word of its own it is UNKNOWN, whatever its body says. */
export function grpcStatusAtEnd({ status, grpcStatus }: Ended): number {
  return grpcStatus === NO_GRPC_STATUS ? grpcStatusOfHttp(status) : grpcStatus
}

/** There is a head, and how the call ends will only be known from the trailers. */
export function awaitsGrpcStatus({ status, isGrpc, grpcStatus }: Ended): boolean {
  return isGrpc && status === OK && grpcStatus === NO_GRPC_STATUS
}

/** The codes by which a server says that it has failed, and not that it was asked for what it cannot give. */
export function isServerFailure(grpcStatus: number): boolean {
  switch (grpcStatus) {
    case GrpcStatus.unknown:
    case GrpcStatus.deadlineExceeded:
    case GrpcStatus.internal:
    case GrpcStatus.unavailable:
    case GrpcStatus.dataLoss:
      return true
    default:
      return false
  }
}

/** A text as the value of `grpc-message`: UTF-8, with all but printable ASCII, and the percent sign, as %XX. */
export function grpcMessage(text: string): string {
  let message = ''
  for (const byte of Buffer.from(text)) {
    const isPlain = byte >= SP && byte <= 0x7e && byte !== PERCENT
    message += isPlain
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return message
}
