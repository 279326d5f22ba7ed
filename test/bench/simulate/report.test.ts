// How findings look: tables, plots within a width, pictures, the README's block; and that the README has it.

import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'
import { atLeast, atMost, type Finding } from '../../../bench/simulate/finding.ts'
import { renderPicture } from '../../../bench/simulate/picture.ts'
import { plot } from '../../../bench/simulate/plot.ts'
import { findBlock, MARKERS, renderBlock } from '../../../bench/simulate/readme.ts'
import { isMet, type Report, sectionOf, type WrittenChart } from '../../../bench/simulate/report.ts'
import { conclude, filesOf } from '../../../bench/simulate/run.ts'
import { scaleOf } from '../../../bench/simulate/scale.ts'
import { renderMarkdown, renderText } from '../../../bench/simulate/table.ts'

const RESULTS = 'bench/results/simulation.json'
const NEVER = Number.POSITIVE_INFINITY

const FINDING: Finding = {
  name: 'test-bed',
  title: 'a -> b & <c>',
  about: 'Some words about it. '.repeat(10).trim(),
  metrics: [
    { key: 'until', title: 's until it is well', digits: 1 },
    { key: 'gone', title: 'gone', digits: 0 },
  ],
  variants: [
    { name: 'without', figures: { until: NEVER, gone: NaN } },
    { name: 'with', figures: { until: 2.123_456_789, gone: 7 } },
  ],
  charts: [
    {
      ...{ title: 'success', unit: '%', scale: 'linear' },
      lines: [
        { name: 'without', values: [100, 0, 0, NaN] },
        { name: 'with', values: [100, 50, 100, 100] },
      ],
    },
    {
      ...{ title: 'p99', unit: 'ms', scale: 'log' },
      lines: [{ name: 'without', values: [1, 10, 100, NEVER] }],
    },
  ],
  spans: [{ from: 1, to: 3, title: 'trouble' }],
  verdicts: [
    atMost('with: s', 2.123_456_789, 5),
    atLeast('without: %', NEVER, 1),
    atMost('x', NaN, 1),
  ],
}
const SECTION = sectionOf(FINDING)
const REPORT: Report = { command: 'npm run simulate', seed: 1, seconds: 4, sections: [SECTION] }

t.test(
  'readme: what it quotes of the simulation is what was found, and nothing without results',
  async (t) => {
    const found = findBlock(readFileSync('README.md', 'utf8'))
    const expected = existsSync(RESULTS)
      ? renderBlock(JSON.parse(readFileSync(RESULTS, 'utf8')) as Report)
      : MARKERS.join('\n')
    t.equal(found, expected, 'if not: node build/bench/simulate/quote.js')
  },
)

t.test('readme: a block has every verdict, and is found again', async (t) => {
  const block = renderBlock(REPORT)
  t.match(block, '| with: s | <= 5 | 2.12 | met |')
  t.match(block, '| without: % | >= 1 | never | met |')
  t.match(block, '| x | <= 1 | - | not met |')
  t.equal(findBlock(`before\n${block}\nafter`), block)
  t.equal(findBlock('nothing'), undefined)
  t.equal(findBlock([...MARKERS].reverse().join()), undefined)
})

t.test('report: figures are rounded, and words where there are none', async (t) => {
  t.same(SECTION.variants, [
    { name: 'without', figures: { until: 'never', gone: null } },
    { name: 'with', figures: { until: 2.12346, gone: 7 } },
  ])
  t.same(JSON.parse(JSON.stringify(REPORT)), REPORT, 'all of it can be written as JSON')
  t.notOk(isMet(REPORT))
  t.ok(isMet({ ...REPORT, sections: [{ ...SECTION, verdicts: SECTION.verdicts.slice(0, 2) }] }))
})

t.test('table: text and Markdown have the same cells', async (t) => {
  const text = renderText(REPORT)
  t.match(text, /^without +never +-$/m)
  t.match(text, /^with +2\.1 +7$/m)
  t.match(text, '2 of 3 verdicts are met')
  for (const line of text.split('\n')) t.ok(line.length <= 100, line)
  const markdown = renderMarkdown(REPORT)
  t.match(markdown, '| without | never | - |')
  t.match(markdown, '](simulation-test-bed.svg)')
  t.same(
    filesOf(REPORT).map(([name]) => name),
    ['simulation.json', 'simulation.md', 'simulation-test-bed.svg'],
  )
})

t.test('plot: a band a line, a mark under the trouble, never wider than told', async (t) => {
  const [first] = SECTION.charts
  t.same(first === undefined ? [] : plot(first, SECTION.spans, 80), [
    'success, 0 to 100 %',
    '        |█',
    'without |█▁▁',
    '        |█ ██',
    'with    |████',
    '          ^^',
  ])
  for (const width of [30, 40, 80]) {
    for (const seconds of [1, 7, 60, 600]) {
      const values = Array.from({ length: seconds }, (_, at) => (at === 3 ? null : at % 11))
      const line = { name: 'a name that is too long to be shown as it is', values }
      const chart: WrittenChart = { title: 'x'.repeat(99), unit: '', scale: 'log', lines: [line] }
      const rows = plot(chart, [{ from: 0, to: seconds, title: 'trouble' }], width)
      t.ok(
        rows.every((row) => row.length <= width),
        `${seconds} s in ${width} columns`,
      )
    }
  }
})

t.test('plot: an empty chart, and one of zeros, can be drawn', async (t) => {
  t.same(plot({ title: 'x', unit: '', scale: 'linear', lines: [] }, [], 80), ['x, 0 to 1'])
  const zeros = {
    title: 'x',
    unit: '/s',
    scale: 'log',
    lines: [{ name: 'a', values: [0, 0] }],
  } as const
  t.same(plot(zeros, [], 80), ['x, 1 to 2 /s, logarithmic', '  |', 'a |▁▁'])
})

t.test('scale: the least stands at the foot, the most at the head, never above it', async (t) => {
  const lines = [{ name: 'a', values: [1, 10, 100, 'never', null] as const }]
  const log = scaleOf({ lines, scale: 'log' })
  t.same(
    [1, 10, 100, 'never', 0].map((value) => log.place(value as number | 'never')),
    [0, 0.5, 1, 1, 0],
  )
  const linear = scaleOf({ lines, scale: 'linear' })
  t.same(
    [0, 50, 100, 'never'].map((value) => linear.place(value as number | 'never')),
    [0, 0.5, 1, 1],
  )
})

t.test(
  'picture: well formed, small, without anything from elsewhere, for light and dark',
  async (t) => {
    const picture = renderPicture(SECTION)
    t.match(picture, 'a -&gt; b &amp; &lt;c&gt;')
    t.match(picture, 'prefers-color-scheme:dark')
    t.notMatch(picture, /NaN|Infinity|undefined|<script|href/)
    t.ok(picture.length < 8000)
    const open: string[] = []
    for (const [, close, name, self] of picture.matchAll(/<(\/?)([a-z]+)[^>]*?(\/?)>/g)) {
      if (close === '/') t.equal(open.pop(), name)
      else if (self !== '/') open.push(name ?? '')
    }
    t.same(open, [])
    t.match(picture, /d="M[\d. ]+L[\d. ]+L[\d. ]+"/, 'a line ends where there is no value')
  },
)

t.test('run: files are written, or verdicts judged', async (t) => {
  const written: string[] = []
  const write = (file: string): void => {
    written.push(file)
  }
  t.equal(conclude(REPORT, { check: false, out: 'x' }, write), 0)
  t.same(written, ['x/simulation.json', 'x/simulation.md', 'x/simulation-test-bed.svg'])
  t.equal(conclude(REPORT, { check: true, out: 'x' }, write), 1, 'a verdict is not met')
  t.equal(conclude({ ...REPORT, sections: [] }, { check: true, out: 'x' }, write), 0)
  t.equal(written.length, 3)
})
