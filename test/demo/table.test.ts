import t from 'tap'
import { paintFor } from '../../demo/paint.ts'
import { formatRate, formatTime, type Row, renderTable } from '../../demo/table.ts'

const plain = paintFor(false)
const ROW: Row = {
  from: 'web',
  to: 'reviews',
  mode: 'L7',
  requests: 120,
  connections: 0.2,
  open: 3,
  failed: 2,
  p50: 0.0004,
  p99: 0.0234,
  received: 812,
  sent: 12_345,
  shares: [
    { name: 'reviews-1', count: 20 },
    { name: 'reviews-2', count: 20 },
    { name: 'reviews-3', count: 0 },
  ],
}

t.test('table: a head, a line a row, a bar an endpoint', async (t) => {
  t.same(renderTable([ROW], 100, plain), [
    'from      to        mode   req/s  conn/s   open  failed       p50       p99          in         out',
    'web       reviews   L7     120.0     0.2      3       2    0.4 ms     23 ms     812 B/s   12.3 kB/s',
    '  reviews-1  ██████████            50 %  20 requests',
    '  reviews-2  ██████████            50 %  20 requests',
    '  reviews-3                         0 %  0 requests',
  ])
})

t.test('table: where connections are balanced, no requests are known', async (t) => {
  const l4 = { ...ROW, mode: 'L4', requests: undefined, p50: undefined, p99: undefined }
  const [, line, share] = renderTable([l4], 100, plain)
  t.match(line, /^web +reviews +L4 +- +0\.2 +3 +2 +- +- +812 B\/s/)
  t.match(share, /20 connections$/)
})

t.test('table: a single endpoint needs no bar, and no traffic is no share', async (t) => {
  t.equal(renderTable([{ ...ROW, shares: ROW.shares.slice(0, 1) }], 100, plain).length, 2)
  const idle = ROW.shares.map((share) => ({ ...share, count: 0 }))
  const lines = renderTable([{ ...ROW, shares: idle }], 100, plain)
  t.ok(lines.slice(2).every((line) => line.endsWith(' 0 %  0 requests')))
})

t.test('table: every line fits the width', async (t) => {
  for (const width of [1, 20, 40, 79, 100]) {
    const lines = renderTable([ROW], width, plain)
    t.ok(
      lines.every((line) => line.length <= width),
      `${width} columns`,
    )
  }
})

t.test('table: colours only where they are wanted', async (t) => {
  t.notOk(renderTable([ROW], 100, plain).join('').includes('\u001b'))
  t.ok(renderTable([ROW], 100, paintFor(true)).join('').includes('\u001b[36m'))
})

t.test('table: rates in decimal units', async (t) => {
  t.equal(formatRate(0), '0 B/s')
  t.equal(formatRate(999), '999 B/s')
  t.equal(formatRate(999.7), '1.0 kB/s')
  t.equal(formatRate(1_500_000), '1.5 MB/s')
  t.equal(formatRate(2e12), '2000.0 GB/s')
})

t.test('table: times in a unit that fits', async (t) => {
  t.equal(formatTime(undefined), '-')
  t.equal(formatTime(0.00044), '0.4 ms')
  t.equal(formatTime(0.009_96), '10 ms')
  t.equal(formatTime(0.9994), '999 ms')
  t.equal(formatTime(1.52), '1.5 s')
})
