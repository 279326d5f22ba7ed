// What the proxy itself answers to a call of gRPC: a 200 that ends with its head ("trailers-only"), with the error as a
// code and a text for the client's library, and as Proxy-Status (RFC 9209) for people and for the sidecar before us.
//
// Which error it is, and how a head is written, is left to the caller.

import { ERRORS, type ErrorCode } from '../../lib/errors.ts'
import type { GrpcStatus } from '../../lib/grpc-status.ts'
import { grpcMessage, grpcStatusOfError } from '../stack/grpc.ts'
import { proxyStatus } from '../stack/proxy-status.ts'

/** Longer details are cut, as in Proxy-Status. */
const MOST_DETAILS = 200

export interface GrpcAnswer {
  /** The values of `grpc-status`, `grpc-message` and `proxy-status`; the type is GRPC_CONTENT_TYPE, the status 200. */
  readonly code: GrpcStatus
  readonly message: string
  readonly proxyStatus: string
}

export const GRPC_CONTENT_TYPE = 'application/grpc'

/**
 * `status` is what it would be in HTTP. `details` says more than the error's name does, or nothing; `nextHop` is the key
 * of the endpoint that was tried last, or empty.
 */
export function grpcAnswer(
  error: ErrorCode,
  status: number,
  details: string,
  nextHop: string,
): GrpcAnswer {
  const more = details === '' ? '' : ` (${details.slice(0, MOST_DETAILS)})`
  return {
    code: grpcStatusOfError(error, status),
    message: grpcMessage(`${error}: ${ERRORS[error].title}${more}`),
    proxyStatus: proxyStatus(error, details, nextHop),
  }
}
