// What the proxy itself answers, as HTTP/1.1 bytes: an error with its name in Proxy-Status (RFC 9209).
//
// Which error it is, and whether the connection lives on, is left to the caller.

import { STATUS_CODES } from 'node:http'
import { ERRORS, type ErrorCode } from '../../lib/errors.ts'
import { proxyStatus } from '../stack/proxy-status.ts'

/** Nobody is there to be answered, or there is no time for it. */
export function isUnanswered(error: ErrorCode): boolean {
  return error === 'downstream-reset' || error === 'drain-timeout'
}

export interface Ending {
  readonly closes: boolean
  /** The answer to a HEAD has no body. */
  readonly hasBody: boolean
  /** The key of the endpoint that was tried last; empty if none was. */
  readonly nextHop: string
}

/** The whole answer. `details` says more than the error's name does: a rule, an endpoint, a number; or nothing. */
export function errorAnswer(
  status: number,
  error: ErrorCode,
  details: string,
  { closes, hasBody, nextHop }: Ending,
): Buffer {
  const body = `${error}: ${ERRORS[error].title}\n`
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}`,
    `Proxy-Status: ${proxyStatus(error, details, nextHop)}`,
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Cache-Control: no-store',
    ...(closes ? ['Connection: close'] : []),
  ]
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${hasBody ? body : ''}`)
}
