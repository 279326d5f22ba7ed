// A host with an optional port, as it stands in Host fields and in absolute and authority forms.
//
// Narrower than RFC 3986 section 3.2 on purpose: no userinfo (RFC 9110 section 4.2.4), no empty host (section
// 4.2.1), no empty port, and in names neither sub-delims nor percent signs, which different software takes apart
// in different ways. Which host may be asked for is left to routing.

import { isIPv6 } from 'node:net'
import { COLON, HOST, IP_LITERAL, isDigit, ZERO } from './characters.ts'
import { type Head, lower } from './head.ts'
import { runEnd } from './runs.ts'

const OPEN = 0x5b
const CLOSE = 0x5d
const INVALID = -1

/** Where the host ends (a colon follows, or nothing), or -1 if this is no authority. */
export function hostEnd(head: Head, start: number, end: number): number {
  const { bytes } = head
  const at =
    bytes[start] === OPEN ? literalEnd(head, start, end) : runEnd(head.view, start, end, HOST)
  if (at === start || at < 0) return INVALID
  if (at === end) return at
  return bytes[at] === COLON && portAt(bytes, at + 1, end) > 0 ? at : INVALID
}

function literalEnd(head: Head, start: number, end: number): number {
  const { bytes } = head
  const at = runEnd(head.view, start + 1, end, IP_LITERAL)
  if (at >= end || bytes[at] !== CLOSE) return INVALID
  return isIPv6(head.text(start + 1, at)) ? at + 1 : INVALID
}

/** The decimal number there, from 1 to 65535, or -1. */
function portAt(bytes: Buffer, start: number, end: number): number {
  let port = 0
  if (end - start < 1 || end - start > 5) return INVALID
  for (let at = start; at < end; at++) {
    if (!isDigit(bytes[at]!)) return INVALID
    port = port * 10 + bytes[at]! - ZERO
  }
  return port > 0 && port <= 65535 ? port : INVALID
}

/** Whether two valid authorities in one head name the same host and port; absent, the port is `fallback`. */
export function sameAuthority(
  head: Head,
  start: number,
  end: number,
  otherStart: number,
  otherEnd: number,
  fallback: number,
): boolean {
  const { bytes } = head
  const host = hostEnd(head, start, end)
  const other = hostEnd(head, otherStart, otherEnd)
  if (host - start !== other - otherStart) return false
  for (let i = 0; i < host - start; i++) {
    if (lower(bytes[start + i]!) !== lower(bytes[otherStart + i]!)) return false
  }
  const port = host === end ? fallback : portAt(bytes, host + 1, end)
  return port === (other === otherEnd ? fallback : portAt(bytes, other + 1, otherEnd))
}
