import t from 'tap'
import { paintFor } from '../../demo/paint.ts'
import { bar, formatRate, type Row, renderTable } from '../../demo/table.ts'

const plain = paintFor(false)
const ROW: Row = {
  from: 'web',
  to: 'reviews',
  perSecond: 12,
  open: 1,
  opened: 40,
  failures: 2,
  received: 812,
  sent: 12_345,
  shares: [
    { name: 'reviews-1', opened: 20 },
    { name: 'reviews-2', opened: 20 },
    { name: 'reviews-3', opened: 0 },
  ],
}

t.test('table: a head, a line a row, a bar an endpoint', async (t) => {
  t.same(renderTable([ROW], 100, plain), [
    'from      to         conn/s   open     total   failed           in          out',
    'web       reviews      12.0      1        40        2      812 B/s    12.3 kB/s',
    '  reviews-1  ██████████            50 %  20',
    '  reviews-2  ██████████            50 %  20',
    '  reviews-3                         0 %  0',
  ])
})

t.test('table: a single endpoint needs no bar, and no traffic is no share', async (t) => {
  t.equal(renderTable([{ ...ROW, shares: ROW.shares.slice(0, 1) }], 100, plain).length, 2)
  const idle = ROW.shares.map((share) => ({ ...share, opened: 0 }))
  const lines = renderTable([{ ...ROW, shares: idle }], 100, plain)
  t.ok(lines.slice(2).every((line) => line.endsWith(' 0 %  0')))
})

t.test('table: every line fits the width', async (t) => {
  for (const width of [1, 20, 40, 79]) {
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

t.test('table: bars in eighths, from none to all', async (t) => {
  t.equal(bar(0), '')
  t.equal(bar(1), '█'.repeat(20))
  t.equal(bar(0.5), '█'.repeat(10))
  t.equal(bar(1 / 160), '▏')
  t.equal(bar(2), '█'.repeat(20), 'never longer')
  t.equal(bar(-1), '')
})

t.test('table: rates in decimal units', async (t) => {
  t.equal(formatRate(0), '0 B/s')
  t.equal(formatRate(999), '999 B/s')
  t.equal(formatRate(999.7), '1.0 kB/s')
  t.equal(formatRate(1_500_000), '1.5 MB/s')
  t.equal(formatRate(2e12), '2000.0 GB/s')
})
