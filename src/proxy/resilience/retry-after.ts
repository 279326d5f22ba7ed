// How long a server asks to be left alone: Retry-After of a response (RFC 9110 section 10.2.3), and what gRPC has for it
// (proposal A6, "pushback").
//
// What is not in one of the standard's forms is not guessed at.

import type { Millis } from '../../lib/duration.ts'
import type { Head } from '../http/head.ts'

/** RFC 9110 section 10.2.3 knows no most: what no number can hold is longer than anybody waits. */
const SECONDS = /^\d+$/
/** A 32-bit number has ten digits; with a sign before it, it is negative. */
const PUSHBACK = /^\d{1,10}$/
const MONTHS = 'Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec'
const TIME = '(?<hour>\\d\\d):(?<minute>\\d\\d):(?<second>\\d\\d)'
/** RFC 9110 section 5.6.7: the form that is sent today, and the two that must still be understood. */
const DATES: readonly RegExp[] = [
  new RegExp(`^[A-Z][a-z]{2}, (?<day>\\d\\d) (?<month>${MONTHS}) (?<year>\\d{4}) ${TIME} GMT$`),
  new RegExp(`^[A-Z][a-z]{5,8}, (?<day>\\d\\d)-(?<month>${MONTHS})-(?<year>\\d\\d) ${TIME} GMT$`),
  new RegExp(`^[A-Z][a-z]{2} (?<month>${MONTHS}) (?<day>[ \\d]\\d) ${TIME} (?<year>\\d{4})$`),
]
/** A year of two digits that would be further ahead than this is of the century before. */
const MOST_AHEAD = 50

/** By either, where the response is to a call of gRPC; NaN if it does not say. `wall` is the time of day. */
export function waitAsked(response: Head, isGrpc: boolean, wall: Millis): Millis {
  const told = isGrpc ? pushback(response) : NaN
  return Number.isNaN(told) ? retryAfter(response, wall) : told
}

/** NaN if the response does not say, or not in a form of the standard; `wall` is the time of day. */
export function retryAfter(response: Head, wall: Millis): Millis {
  const at = response.find('retry-after')
  if (at < 0) return NaN
  const value = response.valueAt(at)
  if (SECONDS.test(value)) return Number(value) * 1000
  const date = dateOf(value, wall)
  return Number.isNaN(date) ? NaN : Math.max(0, date - wall)
}

/** Of a call of gRPC: NaN if it does not say, and longer than anybody waits if the call is not to be sent again. */
export function pushback(response: Head): Millis {
  const at = response.find('grpc-retry-pushback-ms')
  if (at < 0) return NaN
  const value = response.valueAt(at)
  // Negative, or not a number: not to be sent again. Nobody knows which of two was meant.
  const isTold = PUSHBACK.test(value) && response.find('grpc-retry-pushback-ms', at + 1) < 0
  return isTold ? Number(value) : Number.POSITIVE_INFINITY
}

function dateOf(value: string, wall: Millis): Millis {
  for (const form of DATES) {
    const parts = form.exec(value)?.groups
    if (parts === undefined) continue
    const { day = '', month = '', year = '', hour = '', minute = '', second = '' } = parts
    const whole = year.length === 4 ? Number(year) : century(Number(year), wall)
    const monthAt = MONTHS.split('|').indexOf(month)
    return Date.UTC(whole, monthAt, Number(day), Number(hour), Number(minute), Number(second))
  }
  return NaN
}

function century(year: number, wall: Millis): number {
  const current = new Date(wall).getUTCFullYear()
  const whole = current - (current % 100) + year
  return whole > current + MOST_AHEAD ? whole - 100 : whole
}
