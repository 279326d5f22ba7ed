// Samples into rows, ratios, verdicts and tables.

import t from 'tap'
import type { Goal } from '../../bench/goals.ts'
import { buildSection, judge, type Report, type Section } from '../../bench/report.ts'
import { orderOf, type Sample } from '../../bench/rounds.ts'
import type { Scenario } from '../../bench/scenarios/scenario.ts'
import { renderMarkdown, renderText } from '../../bench/table.ts'

const SCENARIO: Scenario = {
  name: 'small',
  title: 'Small things',
  connections: 64,
  cost: 'cpu',
  metrics: [
    { key: 'cpu', title: 'CPU µs/request', digits: 1 },
    { key: 'rate', title: 'requests/s', digits: 0 },
    { key: 'p99', title: 'p99 ms', digits: 2 },
  ],
  needsProxy: false,
  limit: () => 100,
  measure: async () => ({}),
}

const sample = (target: string, round: number, figures: Sample['figures']): Sample => ({
  scenario: 'small',
  target,
  round,
  figures,
})

// Round 2 comes first for underpass: the order within a round turns around, and a ratio must not care.
const SAMPLES: readonly Sample[] = [
  sample('direct', 1, { rate: 9000, p99: 1 }),
  sample('underpass', 2, { cpu: 40, rate: 500, p99: 3 }),
  sample('underpass', 1, { cpu: 11, rate: 1000, p99: 2 }),
  sample('underpass', 3, { cpu: 12, rate: 900, p99: 2.5 }),
  sample('haproxy', 1, { cpu: 10, rate: 1100, p99: 2 }),
  sample('haproxy', 2, { cpu: 20, rate: 600, p99: 2 }),
  sample('haproxy', 3, { cpu: 10, rate: 1200, p99: 2 }),
  { ...sample('haproxy', 1, { cpu: 1 }), scenario: 'other' },
]

const section = buildSection(SCENARIO, 64, SAMPLES, 'underpass')

function row(from: Section, target: string): Section['rows'][number] {
  const found = from.rows.find((entry) => entry.target === target)
  if (found === undefined) throw new Error(`no row for ${target}`)
  return found
}

t.test('report: a row has the median and spread of every metric that was measured', async (t) => {
  t.same(row(section, 'underpass').metrics['cpu'], { median: 12, min: 11, max: 40 })
  t.same(row(section, 'haproxy').metrics['cpu'], { median: 10, min: 10, max: 20 })
  t.equal(row(section, 'direct').metrics['cpu'], undefined)
  t.equal(row(section, 'underpass').runs.length, 3)
})

t.test('report: the ratio to a peer is made in each round', async (t) => {
  t.same(row(section, 'haproxy').ratio, { median: 1.2, min: 1.1, max: 2, rounds: [1.1, 2, 1.2] })
  t.equal(row(section, 'underpass').ratio, undefined)
  t.equal(row(section, 'direct').ratio, undefined, 'what has no cost has no ratio')
})

const goal = (limit: number, of: Goal['of'], scenario = 'small'): Goal => ({
  scenario,
  text: 'a goal',
  limit,
  of,
})

t.test('report: a goal is met up to its limit', async (t) => {
  const verdicts = judge(
    [
      goal(1.2, { ratioTo: 'haproxy' }),
      goal(1.1, { ratioTo: 'haproxy' }),
      goal(12, { metric: 'cpu' }),
    ],
    [section],
    'underpass',
  )
  t.same(
    verdicts.map(({ measured, met }) => ({ measured, met })),
    [
      { measured: 1.2, met: true },
      { measured: 1.2, met: false },
      { measured: 12, met: true },
    ],
  )
})

t.test(
  'report: a goal without its peer is not met, and one of another scenario is left out',
  async (t) => {
    const goals = [goal(9, { ratioTo: 'nginx' }), goal(9, { metric: 'cpu' }, 'bulk')]
    t.same(judge(goals, [section], 'underpass'), [
      { text: 'a goal', limit: 9, measured: undefined, met: false },
    ])
  },
)

const REPORT: Report = {
  date: '2026-01-01T00:00:00.000Z',
  command: 'npm run bench',
  rounds: 3,
  seconds: 5,
  warmup: 2,
  machine: {
    cpu: 'a CPU',
    cores: 2,
    memory: '4.0 GiB',
    system: 'Linux',
    kernel: '6.1',
    node: '24.0.0',
    versions: { direct: 'no proxy', haproxy: '2.6' },
    pinning: 'none',
    files: 20480,
  },
  sections: [section],
  goals: judge([goal(1.1, { ratioTo: 'haproxy' })], [section], 'underpass'),
}

t.test('report: the text table is aligned and shows spread, ratio and verdict', async (t) => {
  const text = renderText(REPORT)
  const rows = text.split('\n').filter((line) => /^(target|direct|underpass|haproxy) /.test(line))
  t.equal(rows.length, 4)
  t.equal(new Set(rows.map((line) => line.length)).size, 1)
  t.match(text, /haproxy .*10\.0 \(10\.0\.\.20\.0\).*1\.20 \(1\.10\.\.2\.00\)/)
  t.match(text, /a goal +<= 1\.1 +1\.2 +not met/)
  t.match(text, /Node\.js 24\.0\.0, haproxy 2\.6/)
})

t.test('report: every line of a Markdown table has as many cells as its head', async (t) => {
  const lines = renderMarkdown(REPORT).split('\n')
  const table = lines.slice(lines.findIndex((line) => line.startsWith('| target')))
  const cells = table.filter((line) => line.startsWith('|')).map((line) => line.split('|').length)
  t.equal(cells.length, 5)
  t.equal(new Set(cells).size, 1)
})

t.test('rounds: the order turns around each round', async (t) => {
  const targets = ['a', 'b', 'c']
  t.same(orderOf(targets, 1), ['a', 'b', 'c'])
  t.same(orderOf(targets, 2), ['c', 'b', 'a'])
  t.same(orderOf(targets, 3), ['a', 'b', 'c'])
})
