// What a proxy says of an error it answers itself (Proxy-Status, RFC 9209), and what the next proxy makes of it.
//
// The sidecar in front of an application that cannot be reached answers in its place. To the sidecar that sent the
// request this is a failed attempt like any other, and no answer for the client as long as there are other endpoints.
// That it comes from there, and was not passed on by an application, is told by the next hop: the very endpoint.

import { ERRORS, type ErrorCode } from '../../lib/errors.ts'
import { Field, fieldBits } from '../http/fields.ts'
import type { Head } from '../http/head.ts'

/** Longer details are cut: they may hold words of a peer. */
const MOST_DETAILS = 200
const PROXY_STATUS = fieldBits(Field.proxyStatus)
const BEGINNING = 'underpass; error='
/** The details begin with the code, see `proxyStatus`. */
const DETAILS = /^[^"]*; details="([a-z-]+)[:"]/

/**
 * What a sidecar says of its application: that it could not be reached, or broke off, or has too much to do. Several of
 * them share a type of RFC 9209 section 2.3, so it is the code at the beginning of the details that tells.
 */
const REPORTED: ReadonlySet<string> = new Set<ErrorCode>([
  'endpoint-refused',
  'endpoint-timeout',
  'endpoint-unreachable',
  'connect-failed',
  'upstream-reset',
  'overloaded',
])
const SAID = /^underpass; error=([a-z_]{1,64}); details="([a-z-]{1,64})(?:: |"; )/

/** The field's value. `details` says more than the error's name does; `nextHop` is an endpoint's key, or empty. */
export function proxyStatus(error: ErrorCode, details: string, nextHop: string): string {
  const named = details === '' ? error : `${error}: ${details}`
  const said = `${BEGINNING}${ERRORS[error].proxyStatus}; details=${quoted(named)}`
  return nextHop === '' ? said : said + endOf(nextHop)
}

/**
 * What the endpoint's own sidecar says went wrong between it and its application, or that it did not let the request
 * through; undefined if the response says no such thing.
 */
export function reportedError(response: Head, endpointKey: string): ErrorCode | undefined {
  if (response.status < 502 || response.status > 504 || !response.has(PROXY_STATUS))
    return undefined
  const value = response.value(Field.proxyStatus) ?? ''
  if (!value.endsWith(endOf(endpointKey))) return undefined
  const [, type, code = ''] = SAID.exec(value) ?? []
  if (!isReported(code)) return undefined
  const { proxyStatus, status } = ERRORS[code]
  return proxyStatus === type && status === response.status ? code : undefined
}

function isReported(code: string): code is ErrorCode {
  return REPORTED.has(code)
}

/** The error that a proxy of ours answered with in an endpoint's stead; undefined if it was no such answer. */
export function toldError(response: Head): ErrorCode | undefined {
  if (!response.has(PROXY_STATUS)) return undefined
  const value = response.value(Field.proxyStatus) ?? ''
  if (!value.startsWith(BEGINNING)) return undefined
  const code = DETAILS.exec(value)?.[1] ?? ''
  return isErrorCode(code) ? code : undefined
}

function isErrorCode(word: string): word is ErrorCode {
  return Object.hasOwn(ERRORS, word)
}

function endOf(nextHop: string): string {
  return `; next-hop=${quoted(nextHop)}`
}

/** A string of RFC 8941 section 3.3.3: printable ASCII, quotes and backslashes escaped. */
function quoted(text: string): string {
  const plain = text.slice(0, MOST_DETAILS).replace(/[^ -~]/g, '?')
  return `"${plain.replace(/["\\]/g, '\\$&')}"`
}
