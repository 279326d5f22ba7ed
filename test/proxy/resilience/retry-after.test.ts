// Retry-After in the standard's forms, and in none of them.

import t from 'tap'
import { Event } from '../../../src/proxy/http/h1/event.ts'
import { ResponseReader } from '../../../src/proxy/http/h1/response-reader.ts'
import { DEFAULT_LIMITS } from '../../../src/proxy/http/limits.ts'
import { retryAfter } from '../../../src/proxy/resilience/retry-after.ts'

const NOON = Date.UTC(2026, 10, 6, 12)

function read(...fields: readonly string[]): number {
  const bytes = Buffer.from(['HTTP/1.1 503 X', ...fields, '', ''].join('\r\n'), 'latin1')
  const reader = new ResponseReader(DEFAULT_LIMITS)
  reader.expect(0)
  t.equal(reader.read(bytes, 0, bytes.length), Event.head)
  return retryAfter(reader.head, NOON)
}

t.test('retry-after: seconds', async (t) => {
  t.equal(read('Retry-After: 0'), 0)
  t.equal(read('X-A: b', 'retry-AFTER:   120 '), 120_000)
  t.equal(read('Retry-After: 9999999999'), 9_999_999_999_000)
  t.equal(read('Retry-After: 12345678901'), 12_345_678_901_000)
  t.equal(read(`Retry-After: ${'9'.repeat(400)}`), Infinity, 'and not as if nobody had asked')
  t.equal(read('Retry-After: 1', 'Retry-After: 2'), 1000, 'the first')
})

t.test('retry-after: dates, in the three forms', async (t) => {
  t.equal(read('Retry-After: Fri, 06 Nov 2026 12:00:05 GMT'), 5000)
  t.equal(read('Retry-After: Friday, 06-Nov-26 12:01:00 GMT'), 60_000)
  t.equal(read('Retry-After: Fri Nov  6 13:00:00 2026'), 3_600_000)
  t.equal(read('Retry-After: Fri, 06 Nov 2026 11:00:00 GMT'), 0, 'it is over')
  t.equal(read('Retry-After: Sunday, 06-Nov-94 08:49:37 GMT'), 0, 'of the last century')
})

t.test('retry-after: what says nothing', async (t) => {
  t.same(read(), NaN)
  for (const value of [
    ...['', '-1', '1.5', '1s', 'tomorrow', '0x10', '1e3'],
    ...['2026-11-06T12:00:05Z', 'Fri, 6 Nov 2026 12:00:05 GMT', 'Fri, 06 Nov 2026 12:00:05 CET'],
    'Fri, 06 Foo 2026 12:00:05 GMT',
  ]) {
    t.same(read(`Retry-After: ${value}`), NaN, value)
  }
})
