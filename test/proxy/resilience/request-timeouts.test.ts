// What a request's own fields say of its time: every edge of both notations.

import t from 'tap'
import { expectedTimeout, grpcTimeout } from '../../../src/proxy/resilience/request-timeouts.ts'
import { NO_LIMIT } from '../../../src/proxy/stack/route.ts'
import { exchangeOf } from '../telemetry/exchanges.ts'

const expected = (...values: readonly string[]): number =>
  expectedTimeout(
    exchangeOf({ fields: values.map((value) => `X-Envoy-Expected-RQ-Timeout-Ms: ${value}`) })
      .request,
  )

const grpc = (value: string, type = 'application/grpc', ...more: readonly string[]): number =>
  grpcTimeout(
    exchangeOf({ fields: [`Content-Type: ${type}`, `grpc-timeout: ${value}`, ...more] }).request,
  )

t.test('request timeouts: milliseconds', async (t) => {
  t.equal(expected('1'), 1)
  t.equal(expected('250'), 250)
  t.equal(expected('  250\t '), 250)
  t.equal(expected('0000000250'), 250)
  t.equal(expected('9999999999'), 9_999_999_999)
  t.equal(expected(), NO_LIMIT, 'there is none')
  for (const wrong of ['', '-1', '+1', '1.5', '1e3', '0x10', '250ms', '2 5', '1,1', 'a', '٣']) {
    t.equal(expected(wrong), NO_LIMIT, `malformed: ${wrong}`)
  }
  t.equal(expected('00000000001'), NO_LIMIT, 'too many digits')
  t.equal(expected('0'), NO_LIMIT, 'none, in the words of those whose field it is')
  t.equal(expected('000'), NO_LIMIT)
  t.equal(expected('250', '250'), NO_LIMIT, 'twice')
})

t.test('request timeouts: gRPC', async (t) => {
  t.equal(grpc('1H'), 3_600_000)
  t.equal(grpc('2M'), 120_000)
  t.equal(grpc('3S'), 3000)
  t.equal(grpc('4m'), 4)
  t.equal(grpc('5u'), 0.005)
  t.ok(Math.abs(grpc('6n') - 0.000_006) < 1e-12)
  t.equal(grpc('99999999m'), 99_999_999)
  t.equal(grpc('99999999H'), 99_999_999 * 3_600_000)
  t.equal(grpc('0m'), 0, 'no time at all')
  t.equal(grpc('00000001S'), 1000)
  for (const wrong of [
    '',
    'm',
    '1',
    '123',
    '100000000m',
    '-1m',
    '1h',
    '1s',
    '1 m',
    '1.5S',
    '1mm',
  ]) {
    t.equal(grpc(wrong), NO_LIMIT, `malformed: ${wrong}`)
  }
  t.equal(grpc('1m', 'application/grpc', 'GRPC-Timeout: 1m'), NO_LIMIT, 'twice')
  t.equal(grpcTimeout(exchangeOf().request), NO_LIMIT, 'there is none')
})

t.test('request timeouts: gRPC only', async (t) => {
  for (const type of ['application/grpc', 'Application/GRPC', 'application/grpc+proto']) {
    t.equal(grpc('7m', type), 7, type)
  }
  for (const type of ['application/grp', 'application/json', 'text/application/grpc', '']) {
    t.equal(grpc('7m', type), NO_LIMIT, type)
  }
  t.equal(grpc('7m', 'application/grpc', 'Content-Type: a/b'), NO_LIMIT, 'two types')
  const untyped = exchangeOf({ fields: ['grpc-timeout: 7m'] }).request
  t.equal(grpcTimeout(untyped), NO_LIMIT, 'no type')
})
