// The small parts of a proxy with several workers: lines kept whole, endpoints and metrics made one.

import t from 'tap'
import type { Figures } from '../../../src/proxy/telemetry/metrics.ts'
import { mergedEndpoints } from '../../../src/proxy/workers/merged-endpoints.ts'
import { PooledMetrics } from '../../../src/proxy/workers/pooled-metrics.ts'
import { WholeLines } from '../../../src/proxy/workers/whole-lines.ts'

t.test('whole lines: however it is cut, lines come out whole', async (t) => {
  const text = '{"a":1}\n\n{"b":"ü€😀"}\n{"c":3}\n'
  const bytes = Buffer.from(text)
  for (let size = 1; size <= bytes.length; size += 1) {
    const written: string[] = []
    const lines = new WholeLines({ write: (some) => written.push(some) })
    for (let at = 0; at < bytes.length; at += size) lines.take(bytes.subarray(at, at + size))
    t.equal(written.join(''), text, `${size} bytes at a time`)
    t.ok(written.every((some) => some.endsWith('\n')))
  }
})

t.test('whole lines: what was not finished is not written, and memory has an end', async (t) => {
  const written: string[] = []
  const lines = new WholeLines({ write: (some) => written.push(some) })
  const chunk = Buffer.alloc(1_000_000, 'x')
  for (let count = 0; count < 5; count += 1) lines.take(chunk)
  t.same(written, [])
  lines.take(Buffer.from('y'))
  lines.take(Buffer.from('its end\nwhole\nnext'))
  lines.take(Buffer.from(' one\n'))
  t.same(written, ['whole\n', 'next one\n'], 'of the endless line nothing is left')
})

t.test('merged endpoints: numbers are added, the rest is kept', async (t) => {
  const endpoint = (address: string, open: number, avoided = 0): object => ({
    ...{ address, weight: 3, open, connectFailuresInARow: avoided / 100 },
    avoidedForMilliseconds: avoided,
  })
  const one = [
    { service: 'a:80', open: 2, endpoints: [endpoint('x', 2, 500), endpoint('y', 0)] },
    { service: 'b:80', open: 1, mode: 'l7', endpoints: [] },
  ]
  const other = [{ service: 'a:80', open: 5, endpoints: [endpoint('x', 1, 200), endpoint('z', 4)] }]
  t.same(mergedEndpoints([one, other]), [
    {
      service: 'a:80',
      open: 7,
      endpoints: [endpoint('x', 3, 500), endpoint('y', 0), endpoint('z', 4)],
    },
    { service: 'b:80', open: 1, mode: 'l7', endpoints: [] },
  ])
  t.same(mergedEndpoints([]), [])
})

t.test('merged endpoints: of breakers the worst is shown', async (t) => {
  const list = (state: string, successRate: number | null, panicking: boolean): object[] => {
    const isOpen = state === 'open'
    const breaker = {
      ...{ state, consecutiveFailures: isOpen ? 5 : 1, successRate, ejections: isOpen ? 2 : 1 },
      ejectedForMilliseconds: isOpen ? 700 : 0,
    }
    const ejected = state === 'closed' ? 0 : 1
    return [{ service: 'a:80', panicking, ejected, endpoints: [{ address: 'x', breaker }] }]
  }
  const merged = (...lists: object[][]): unknown => mergedEndpoints(lists)
  const worst = {
    ...{ state: 'open', consecutiveFailures: 5, successRate: 0.4, ejections: 4 },
    ejectedForMilliseconds: 700,
  }
  const expected = [
    {
      ...{ service: 'a:80', panicking: true, ejected: 1 },
      endpoints: [{ address: 'x', breaker: worst }],
    },
  ]
  const lists = [
    list('closed', 0.9, false),
    list('open', 0.4, true),
    list('half-open', null, false),
  ] as const
  t.same(merged(...lists), expected)
  t.same(merged(lists[2], lists[1], lists[0]), expected, 'in any order')
  t.same(merged(list('half-open', null, false), list('closed', 1, false)), [
    {
      ...{ service: 'a:80', panicking: false, ejected: 1 },
      endpoints: [
        {
          address: 'x',
          breaker: {
            ...{ state: 'half-open', consecutiveFailures: 1, successRate: 1, ejections: 2 },
            ejectedForMilliseconds: 0,
          },
        },
      ],
    },
  ])
})

function figures(count: number, open: number, late: number): Figures {
  const metric = (name: string, type: string, value: number, aggregator = 'sum'): object => ({
    ...{ name, type, help: name, aggregator, values: [{ value, labels: {} }] },
  })
  const histogram = {
    ...{ name: 'took_seconds', type: 'histogram', help: 'Took.', aggregator: 'sum' },
    values: [
      { metricName: 'took_seconds_bucket', labels: { le: 1 }, value: count },
      { metricName: 'took_seconds_bucket', labels: { le: '+Inf' }, value: count },
      { metricName: 'took_seconds_sum', labels: {}, value: count / 2 },
      { metricName: 'took_seconds_count', labels: {}, value: count },
    ],
  }
  return [
    metric('done_total', 'counter', count),
    metric('open', 'gauge', open),
    metric('late_seconds', 'gauge', late, 'max'),
    histogram,
  ] as unknown as Figures
}

t.test('pooled metrics: sums, maxima, and what dead workers counted', async (t) => {
  let [workers, restarts] = [2, 0]
  const metrics = new PooledMetrics(
    () => workers,
    () => restarts,
  )
  t.teardown(() => {
    metrics.stop()
  })
  metrics.take(1, figures(10, 3, 0.5))
  metrics.take(2, figures(5, 1, 0.25))
  const has = async (...lines: string[]): Promise<void> => {
    const page = (await metrics.page()).split('\n')
    for (const line of lines) t.ok(page.includes(line), `${line}\n${page.join('\n')}`)
  }
  await has('done_total 15', 'open 4', 'late_seconds 0.5', 'took_seconds_bucket{le="1"} 15')
  await has('took_seconds_sum 7.5', 'underpass_workers 2', 'underpass_worker_restarts_total 0')
  metrics.drop(1)
  metrics.drop(1)
  await has('done_total 15', 'open 1', 'late_seconds 0.25', 'took_seconds_count 15')
  metrics.take(1, figures(1, 0, 0))
  metrics.drop(1)
  metrics.take(1, figures(2, 7, 0))
  restarts = 2
  workers = 1
  await has('done_total 18', 'open 8', 'took_seconds_bucket{le="+Inf"} 18')
  await has('underpass_workers 1', 'underpass_worker_restarts_total 2')
})
