// Samples into rows, ratios and tables.

import t from 'tap'
import { buildSection, type Report, type Section } from '../../bench/report.ts'
import { orderOf, type Sample } from '../../bench/rounds.ts'
import type { Scenario } from '../../bench/scenarios/scenario.ts'
import { renderMarkdown, renderText } from '../../bench/table.ts'

const SCENARIO: Scenario = {
  name: 'small',
  title: 'Small things',
  connections: 64,
  ours: 'underpass',
  compared: 'cpu',
  metrics: [
    { key: 'cpu', title: 'CPU µs/request', digits: 1 },
    { key: 'rate', title: 'requests/s', digits: 0 },
    { key: 'p99', title: 'p99 ms', digits: 2 },
  ],
  limit: () => 100,
  contenders: () => [],
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

const section = buildSection(SCENARIO, 64, SAMPLES)

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

t.test('report: what is added is taken from the direct connection of the same round', async (t) => {
  const samples = [
    sample('direct', 1, { p99: 1 }),
    sample('direct', 2, { p99: 4 }),
    sample('haproxy', 2, { p99: 5 }),
    sample('haproxy', 1, { p99: 0.5 }),
    sample('haproxy', 3, { p99: 9 }),
  ]
  const added = buildSection({ ...SCENARIO, compared: 'p99', added: ['p99'] }, 64, samples)
  t.same(
    added.metrics.map(({ title }) => title),
    ['CPU µs/request', 'requests/s', 'p99 ms', 'added p99 ms'],
  )
  const { runs, metrics } = row(added, 'haproxy')
  t.same(
    runs.map((run) => run['p99-added']),
    [-0.5, 1, undefined],
    'below zero too, and nothing where there is nothing to take it from',
  )
  t.same(metrics['p99-added'], { median: 0.25, min: -0.5, max: 1 })
  t.equal(row(added, 'direct').metrics['p99-added'], undefined)
})

const REPORT: Report = {
  mode: 'l4',
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
  goals: [
    { text: 'a goal', limit: 1.1, least: false, measured: 1.2, outcome: 'not met', note: '' },
    { text: 'more', limit: 3, least: true, measured: 3.456, outcome: 'met', note: 'of 2 rounds' },
    { text: 'less', limit: 2, least: true, measured: undefined, outcome: 'not judged', note: 'no' },
  ],
}

t.test('report: the text table is aligned and shows spread, ratio and verdict', async (t) => {
  const text = renderText(REPORT)
  const rows = text.split('\n').filter((line) => /^(target|direct|underpass|haproxy) /.test(line))
  t.equal(rows.length, 4)
  t.equal(new Set(rows.map((line) => line.length)).size, 1)
  t.match(text, /haproxy .*10\.0 \(10\.0\.\.20\.0\).*1\.20 \(1\.10\.\.2\.00\)/)
  t.match(text, /a goal +<= 1\.1 +1\.2 +not met/)
  t.match(text, /more +>= 3 +3\.46 +met: of 2 rounds/)
  t.match(text, /less +>= 2 +- +not judged: no/)
  t.match(text, /Node\.js 24\.0\.0, haproxy 2\.6/)
})

t.test('report: every line of a Markdown table has as many cells as its head', async (t) => {
  const lines = renderMarkdown(REPORT).split('\n')
  const table = lines.slice(lines.findIndex((line) => line.startsWith('| target')))
  const cells = table.filter((line) => line.startsWith('|')).map((line) => line.split('|').length)
  t.equal(cells.length, 5)
  t.equal(new Set(cells).size, 1)
})

t.test(
  'report: the last column says what is compared where it is not the first metric',
  async (t) => {
    const samples = SAMPLES.filter(({ target }) => target !== 'direct')
    const heads = (compared: string): string =>
      renderText({ ...REPORT, sections: [buildSection({ ...SCENARIO, compared }, 0, samples)] })
    t.match(heads('cpu'), /underpass \/ it$/m)
    t.match(heads('rate'), /underpass \/ it, requests\/s$/m)
    t.match(heads('rate'), /^small: Small things$/m, 'and no connections where there are none')
  },
)

t.test('rounds: the order turns around each round', async (t) => {
  const targets = ['a', 'b', 'c']
  t.same(orderOf(targets, 1), ['a', 'b', 'c'])
  t.same(orderOf(targets, 2), ['c', 'b', 'a'])
  t.same(orderOf(targets, 3), ['a', 'b', 'c'])
})
