// How long a request says that it has: x-envoy-expected-rq-timeout-ms, which other proxies and libraries know, and
// grpc-timeout.
//
// Read from the head's bytes without a string. What is malformed, or there twice, counts as absent: nobody can know
// which of two was meant, and a request that is cut for a wrong number is worse than one that has too long.

import type { Millis } from '../../lib/duration.ts'
import { Field, fieldBits } from '../http/fields.ts'
import type { Head } from '../http/head.ts'
import { isGrpc } from '../stack/grpc.ts'
import { NO_LIMIT } from '../stack/route.ts'

/** Any field that says how long a request has. */
export const TIMEOUT_FIELDS: number = fieldBits(Field.xEnvoyExpectedRqTimeoutMs, Field.grpcTimeout)

/** Ten digits of milliseconds are 115 days. */
const MOST_EXPECTED_DIGITS = 10
/** As gRPC's protocol has it: "TimeoutValue -> positive integer as ASCII string of at most 8 digits". */
const MOST_GRPC_DIGITS = 8
const ZERO = 0x30
const NOT_A_NUMBER = -1
const NO_UNIT = 0

/** Milliseconds; NO_LIMIT if it does not say. 0 says nothing either: to Envoy, whose field it is, that is no timeout. */
export function expectedTimeout(head: Head): Millis {
  const at = valueAt(head, Field.xEnvoyExpectedRqTimeoutMs)
  if (at < 0) return NO_LIMIT
  const value = numberIn(head, head.spans[at] ?? 0, head.spans[at + 1] ?? 0, MOST_EXPECTED_DIGITS)
  return value > 0 ? value : NO_LIMIT
}

/** The same of a call of gRPC, down to nanoseconds. Here 0 is no time at all. */
export function grpcTimeout(head: Head): Millis {
  const at = valueAt(head, Field.grpcTimeout)
  if (at < 0 || !isGrpc(head)) return NO_LIMIT
  const last = (head.spans[at + 1] ?? 0) - 1
  const unit = unitOf(head.bytes[last] ?? 0)
  if (unit === NO_UNIT) return NO_LIMIT
  const value = numberIn(head, head.spans[at] ?? 0, last, MOST_GRPC_DIGITS)
  return value === NOT_A_NUMBER ? NO_LIMIT : value * unit
}

/** Where among the spans the value's start and end stand; -1 if there is no such field, or more than one. */
function valueAt(head: Head, field: number): number {
  const index = head.indexOf(field)
  return index < 0 || (head.repeated & (1 << field)) !== 0 ? -1 : index * 4 + 2
}

function numberIn({ bytes }: Head, start: number, end: number, most: number): number {
  if (end <= start || end - start > most) return NOT_A_NUMBER
  let value = 0
  for (let at = start; at < end; at++) {
    const digit = (bytes[at] ?? 0) - ZERO
    if (digit < 0 || digit > 9) return NOT_A_NUMBER
    value = value * 10 + digit
  }
  return value
}

/** In milliseconds. */
function unitOf(letter: number): Millis {
  switch (letter) {
    case 0x48: // H
      return 3_600_000
    case 0x4d: // M
      return 60_000
    case 0x53: // S
      return 1000
    case 0x6d: // m
      return 1
    case 0x75: // u
      return 1e-3
    case 0x6e: // n
      return 1e-6
    default:
      return NO_UNIT
  }
}
