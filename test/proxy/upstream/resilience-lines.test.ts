// What the next hop is told of a call's time.

import t from 'tap'
import { HeadWriter } from '../../../src/proxy/http/h1/head-writer.ts'
import {
  addResilienceLines,
  cutForResilience,
} from '../../../src/proxy/upstream/resilience-lines.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { exchangeOf } from '../telemetry/exchanges.ts'

function told(left: number, isGrpc: boolean, ...fields: readonly string[]): string[] {
  const exchange = exchangeOf({ line: 'POST /a.B/C', fields })
  exchange.isGrpc = isGrpc
  exchange.deadline = left
  const writer = new HeadWriter()
  writer.request(exchange.request, cutForResilience(exchange))
  addResilienceLines(writer, exchange, exchange.request, new FakeClock())
  const lines = writer.finish()?.toString('latin1').split('\r\n') ?? []
  return lines.filter((line) => /^(x-envoy|grpc)/i.test(line))
}

t.test('resilience lines: a call is told as gRPC has it, whoever limits its time', async (t) => {
  t.same(told(250.9, true), ['x-envoy-expected-rq-timeout-ms: 250', 'grpc-timeout: 250m'])
  t.same(told(250.9, false), ['x-envoy-expected-rq-timeout-ms: 250'])
  t.same(told(250, true, 'grpc-timeout: 9S').slice(1), ['grpc-timeout: 250m'])
  t.same(told(Infinity, true), [])
  t.same(told(Infinity, true, 'grpc-timeout: x'), ['grpc-timeout: x'])
})

t.test('resilience lines: what does not fit into eight digits goes in a larger unit', async (t) => {
  for (const [left, line] of [
    [0.1, '1m'],
    [99_999_999, '99999999m'],
    [100_000_000, '100000S'],
    [99_999_999_999, '99999999S'],
    [100_000_000_000, '1666666M'],
    [6_000_000_000_000, '1666666H'],
    [99_999_999 * 3_600_000, '99999999H'],
  ] as const) {
    t.equal(told(left, true)[1], `grpc-timeout: ${line}`, `${left}`)
  }
})
