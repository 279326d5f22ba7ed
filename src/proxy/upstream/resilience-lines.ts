// What the next hop is told of a request's resilience: how long it has, and which time it is sent.
//
// What is left travels as x-envoy-expected-rq-timeout-ms, and as grpc-timeout in calls of gRPC; each try says
// what is left when it is sent. A request that is sent again may carry the lines of its last try: they are cut and
// written anew. How long a request has is left to resilience.

import type { Clock } from '../../lib/clock.ts'
import { Field, fieldBits } from '../http/fields.ts'
import type { Head } from '../http/head.ts'
import type { HeadOutput } from '../http/head-output.ts'
import type { Exchange } from '../stack/exchange.ts'
import { NO_LIMIT } from '../stack/route.ts'

const GRPC = fieldBits(Field.grpcTimeout)
const DEADLINE = fieldBits(Field.xEnvoyExpectedRqTimeoutMs) | GRPC
const ATTEMPT = fieldBits(Field.xEnvoyAttemptCount)

const EXPECTED_LINE = line('x-envoy-expected-rq-timeout-ms')
const GRPC_LINE = line('grpc-timeout')
const ATTEMPT_LINE = line('x-envoy-attempt-count')
const END = Buffer.from('\r\n', 'latin1')
/** gRPC has 8 digits: what does not fit in milliseconds is said in the next unit that it fits. */
const MOST_GRPC = 99_999_999
const GRPC_UNITS: readonly { readonly millis: number; readonly end: Buffer }[] = [
  { millis: 1, end: Buffer.from('m\r\n', 'latin1') },
  { millis: 1000, end: Buffer.from('S\r\n', 'latin1') },
  { millis: 60_000, end: Buffer.from('M\r\n', 'latin1') },
  { millis: 3_600_000, end: Buffer.from('H\r\n', 'latin1') },
]
/** As many digits as we read ourselves. */
const MOST_EXPECTED = 9_999_999_999

/** Fields of the request that do not go on as they are, as bits. */
export function cutForResilience({ deadline, destination }: Exchange): number {
  const timed = deadline === NO_LIMIT ? 0 : DEADLINE
  // To the application the count of who asked for it is of use; ours would hide it.
  return destination.direction === 'outbound' ? timed | ATTEMPT : timed
}

/** Writes the lines of this try into the head that is being written. */
export function addResilienceLines(
  writer: HeadOutput,
  exchange: Exchange,
  request: Head,
  clock: Clock,
): void {
  const { deadline, destination, route, sent } = exchange
  if (deadline !== NO_LIMIT) {
    const left = Math.min(deadline - clock.now(), route.timeouts.perTry)
    const whole = Math.max(1, Math.floor(left))
    writer.addNumber(EXPECTED_LINE, Math.min(whole, MOST_EXPECTED), END)
    if (exchange.isGrpc || request.has(GRPC)) addGrpc(writer, whole)
  }
  if (sent > 1 && destination.direction === 'outbound') writer.addNumber(ATTEMPT_LINE, sent, END)
}

function addGrpc(writer: HeadOutput, left: number): void {
  for (const { millis, end } of GRPC_UNITS) {
    const value = Math.floor(left / millis)
    if (value > MOST_GRPC) continue
    writer.addNumber(GRPC_LINE, value, end)
    return
  }
}

function line(name: string): Buffer {
  return Buffer.from(`${name}: `, 'latin1')
}
