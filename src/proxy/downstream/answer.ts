// What the proxy itself answers: an error with its name in Proxy-Status (RFC 9209), as the lines of fields and the
// content that both codecs have, and as the bytes of HTTP/1.1.
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
  const body = errorBody(error)
  const start = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}\r\n`
  const close = closes ? 'Connection: close\r\n' : ''
  const head = Buffer.from(
    `${start}${errorLines(error, details, nextHop, body.length)}${close}\r\n`,
  )
  return hasBody ? Buffer.concat([head, body]) : head
}

/** The fields, each with its CRLF. */
export function errorLines(
  error: ErrorCode,
  details: string,
  nextHop: string,
  length: number,
): string {
  return [
    `Proxy-Status: ${proxyStatus(error, details, nextHop)}\r\n`,
    'Content-Type: text/plain; charset=utf-8\r\n',
    `Content-Length: ${length}\r\n`,
    'Cache-Control: no-store\r\n',
  ].join('')
}

export function errorBody(error: ErrorCode): Buffer {
  return Buffer.from(`${error}: ${ERRORS[error].title}\n`)
}
