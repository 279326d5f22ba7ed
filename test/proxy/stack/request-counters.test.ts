import t from 'tap'
import { CounterRegistry } from '../../../src/proxy/stack/counters.ts'
import {
  bucketOf,
  LATENCY_BOUNDS,
  NO_STATUS,
  RequestCounters,
} from '../../../src/proxy/stack/request-counters.ts'

t.test('request counters: a bound belongs to its bucket, what is above to the next', async (t) => {
  for (const [bucket, seconds] of LATENCY_BOUNDS.entries()) {
    const bound = seconds * 1000
    t.equal(bucketOf(bound), bucket, `${bound} ms`)
    t.equal(bucketOf(bound - 0.001), bucket, `just below ${bound} ms`)
    t.equal(bucketOf(bound + 0.001), bucket + 1, `just above ${bound} ms`)
  }
  t.equal(LATENCY_BOUNDS.length, 28)
  t.equal(bucketOf(0), 0)
  t.equal(bucketOf(1e12), LATENCY_BOUNDS.length, 'the last bucket has no bound')
})

t.test('request counters: the bucket is that of a plain search, for every latency', async (t) => {
  const plain = (latency: number): number => {
    const found = LATENCY_BOUNDS.findIndex((bound) => latency / 1000 <= bound)
    return found < 0 ? LATENCY_BOUNDS.length : found
  }
  const wrong: number[] = []
  // An odd number of microseconds falls on no bound, where rounding could differ.
  for (let latency = 0.0003; latency < 70_000; latency = latency * 1.0007 + 0.0003) {
    if (bucketOf(latency) !== plain(latency)) wrong.push(latency)
  }
  t.same(wrong, [])
})

t.test('request counters: what is recorded', async (t) => {
  const requests = new RequestCounters()
  t.notOk(requests.used)
  requests.record(200, 1.5, 10, 1000)
  requests.record(200, 0, 0, 3e12)
  requests.record(404, 90_000, 5, 0)
  requests.record(NO_STATUS, 12, 0, 0)
  t.ok(requests.used)
  t.equal(requests.total, 4)
  t.same(requests.statuses(), [
    [0, 1],
    [200, 2],
    [404, 1],
  ])
  t.equal(requests.requestBytes, 15)
  t.equal(requests.responseBytes, 3e12 + 1000)
  t.equal(requests.latency, 90_013.5)
  const filled = [...requests.latencies().entries()].filter(([, count]) => count > 0)
  t.same(filled, [
    [0, 1],
    [2, 1],
    [8, 1],
    [28, 1],
  ])
})

t.test('request counters: every status there can be, in any order, in any line', async (t) => {
  const [one, other] = [new RequestCounters(), new RequestCounters()]
  const all = Array.from({ length: 900 }, (_, at) => 100 + ((at * 7) % 900))
  for (const status of all) {
    one.record(status, 1, 0, 0)
    one.record(status, 1, 0, 0)
  }
  other.record(999, 1, 0, 0)
  const expected = [...new Set(all)].sort((a, b) => a - b).map((status) => [status, 2])
  t.equal(expected.length, 900)
  t.same(one.statuses(), expected)
  t.same(other.statuses(), [[999, 1]])
  t.equal(one.total, 1800, 'the histogram has kept what it had')
})

t.test('request counters: figures that make no sense spoil nothing', async (t) => {
  const requests = new RequestCounters()
  requests.record(1000, Number.NaN, 0, 0)
  requests.record(-1, -5, 0, 0)
  t.same(requests.statuses(), [[NO_STATUS, 2]])
  t.equal(requests.latencies()[0], 2)
  t.equal(requests.latency, 0)
})

t.test('request counters: recording allocates nothing', async (t) => {
  const requests = new RequestCounters()
  const round = (count: number): number => {
    const before = process.memoryUsage().heapUsed
    for (let i = 0; i < count; i += 1) {
      requests.record(200 + (i % 4), 0.1 + (i % 700), i, i * 0.5)
    }
    return process.memoryUsage().heapUsed - before
  }
  for (let i = 0; i < 20; i += 1) round(20_000)
  const grown = Array.from({ length: 9 }, () => round(20_000)).sort((one, other) => one - other)
  // One double would be 16 bytes each time, 320 kB in all; the measurement itself takes some.
  t.ok((grown[4] ?? Infinity) < 20_000, `${grown.join(' ')} bytes`)
})

t.test(
  'request counters: a line makes them once, and is kept while a request is active',
  async (t) => {
    const counters = new CounterRegistry()
    const line = counters.of('outbound', 'shop.default:80', '198.18.0.7:80')
    t.equal(line.requests, undefined)
    const requests = line.forRequests()
    t.equal(line.forRequests(), requests)
    t.equal(line.requests, requests)
    requests.active = 1
    line.retiredAt = 0
    counters.expire(600_001)
    t.same([...counters.all()], [line])
    requests.active = 0
    counters.expire(600_000)
    t.same([...counters.all()], [line])
    counters.expire(600_001)
    t.same([...counters.all()], [])
  },
)

t.test('request counters: each route has its own, and the default one is the first', async (t) => {
  const line = new CounterRegistry().of('outbound', 'shop.default:80', '')
  t.same([...line.byRoute()], [])
  const other = line.forRequests('checkout')
  t.equal(line.requests, undefined)
  t.equal(line.forRequests('checkout'), other)
  const usual = line.forRequests('default')
  t.equal(line.forRequests(), usual)
  const third = line.forRequests('cart')
  t.strictSame(
    [...line.byRoute()].map(([route]) => route),
    ['default', 'checkout', 'cart'],
  )
  t.ok(new Set([other, usual, third]).size === 3)
  other.active = 2
  usual.active = 1
  t.equal(line.active, 3)
})

t.test('request counters: a request of any route keeps its line', async (t) => {
  for (const route of ['default', 'checkout', 'cart']) {
    const counters = new CounterRegistry()
    const line = counters.of('outbound', 'shop.default:80', '198.18.0.7:80')
    for (const each of ['default', 'checkout', 'cart']) line.forRequests(each)
    line.retiredAt = 0
    line.forRequests(route).active = 1
    counters.expire(600_001)
    t.same([...counters.all()], [line], route)
    line.forRequests(route).active = 0
    counters.expire(600_001)
    t.same([...counters.all()], [], route)
  }
})

t.test('request counters: routes that are edited without end do not fill the memory', async (t) => {
  const line = new CounterRegistry().of('outbound', 'shop.default:80', '')
  const busy = line.forRequests('r0')
  busy.active = 1
  const [oldest, kept] = [line.forRequests('r1'), line.forRequests('r2')]
  for (let at = 3; at < 129; at += 1) line.forRequests(`r${at}`)
  t.equal([...line.byRoute()].length, 128)
  t.equal(line.forRequests('r0'), busy, 'one that a request is active of stays')
  t.equal(line.forRequests('r2'), kept)
  t.not(line.forRequests('r1'), oldest, 'the oldest of the others begins anew')
  for (let at = 0; at < 1000; at += 1) line.forRequests(`s${at}`)
  t.equal([...line.byRoute()].length, 128)
  t.equal(line.active, 1)
})
