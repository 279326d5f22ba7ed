// What a proxy says of an error it answers itself (Proxy-Status, RFC 9209), and what the next proxy makes of it.
//
// The sidecar in front of an application that cannot be reached answers in its place. To the sidecar that sent the
// request this is a failed attempt like any other, and no answer for the client as long as there are other endpoints.
// That it comes from there, and was not passed on by an application, is told by the next hop: the very endpoint. A call of
// gRPC it answers with a 200 that ends with its head, and the code of the error in `grpc-status`.

import { ERRORS, type ErrorCode } from '../../lib/errors.ts'
import { Field, fieldBits } from '../http/fields.ts'
import type { Head } from '../http/head.ts'
import { grpcStatusOf, isGrpc as isOfGrpc } from './grpc.ts'

/** Longer details are cut: they may hold words of a peer. */
const MOST_DETAILS = 200
const PROXY_STATUS = fieldBits(Field.proxyStatus)
const BEGINNING = 'underpass; error='
/** The details begin with the code, see `proxyStatus`. */
const DETAILS = /^[^"]*; details="([a-z0-9-]+)[:"]/

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
  'stream-refused',
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
 * through; undefined if the response says no such thing. `isGrpc` tells of the request.
 */
export function reportedError(
  response: Head,
  endpointKey: string,
  isGrpc: boolean,
): ErrorCode | undefined {
  const { status } = response
  const mayBe = (status >= 502 && status <= 504) || (isGrpc && status === 200)
  if (!mayBe || !response.has(PROXY_STATUS)) return undefined
  const value = response.value(Field.proxyStatus) ?? ''
  if (!value.endsWith(endOf(endpointKey))) return undefined
  const [, type, code = ''] = SAID.exec(value) ?? []
  if (!isReported(code) || ERRORS[code].proxyStatus !== type) return undefined
  return saysSo(response, code) ? code : undefined
}

/** The rest of the head is that of an answer of ours to the error. */
function saysSo(response: Head, code: ErrorCode): boolean {
  const { status, grpc } = ERRORS[code]
  if (response.status !== 200) return response.status === status
  return isOfGrpc(response) && grpcStatusOf(response) === grpc
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
