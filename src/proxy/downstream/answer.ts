// What the proxy itself answers, as HTTP/1.1 bytes: an error with its name in Proxy-Status (RFC 9209).
//
// Which error it is, and whether the connection lives on, is left to the caller.

import { STATUS_CODES } from 'node:http'
import { ERRORS, type ErrorCode } from '../../lib/errors.ts'

/** Longer details are cut: they may hold words of a peer. */
const MOST_DETAILS = 200

export interface Ending {
  readonly closes: boolean
  /** The answer to a HEAD has no body. */
  readonly hasBody: boolean
}

/** The whole answer. `details` says more than the error's name does: a rule, an endpoint, a number; or nothing. */
export function errorAnswer(
  status: number,
  error: ErrorCode,
  details: string,
  { closes, hasBody }: Ending,
): Buffer {
  const { proxyStatus, title } = ERRORS[error]
  const named = details === '' ? error : `${error}: ${details}`
  const body = `${error}: ${title}\n`
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}`,
    `Proxy-Status: underpass; error=${proxyStatus}; details=${quoted(named)}`,
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Cache-Control: no-store',
    ...(closes ? ['Connection: close'] : []),
  ]
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${hasBody ? body : ''}`)
}

/** A string of RFC 8941 section 3.3.3: printable ASCII, quotes and backslashes escaped. */
function quoted(text: string): string {
  const plain = text.slice(0, MOST_DETAILS).replace(/[^ -~]/g, '?')
  return `"${plain.replace(/["\\]/g, '\\$&')}"`
}
