// Goals into verdicts.

import t from 'tap'
import type { Goal } from '../../bench/goals.ts'
import { judge, type Verdict } from '../../bench/judge.ts'
import { buildSection, type Section } from '../../bench/report.ts'
import type { Scenario } from '../../bench/scenarios/scenario.ts'

const SCENARIO: Scenario = {
  name: 'latency',
  title: 'Latency',
  connections: 64,
  ours: 'underpass',
  compared: 'p99',
  metrics: [{ key: 'p99', title: 'p99 ms', digits: 2 }],
  added: ['p99'],
  limit: () => 100,
  contenders: () => [],
}

/** A section in which the three had these figures, round by round. */
function section(direct: number[], underpass: number[], haproxy: number[]): Section {
  const samples = Object.entries({ direct, underpass, haproxy }).flatMap(([target, values]) =>
    values.map((p99, index) => ({
      scenario: 'latency',
      target,
      round: index + 1,
      figures: { p99, late99: 0.5 },
    })),
  )
  return buildSection(SCENARIO, 64, samples)
}

const MEASURED = section([1, 1, 1], [1.2, 1.3, 1.9], [1.1, 1.2, 1.3])

function goal(limit: number, of: Goal['of'], more: Partial<Goal> = {}): Goal {
  return { scenario: 'latency', text: 'a goal', limit, of, ...more }
}

function outcomes(verdicts: readonly Verdict[]): (readonly [number | undefined, string])[] {
  return verdicts.map(({ measured, outcome }) => [
    measured === undefined ? undefined : Number(measured.toFixed(3)),
    outcome,
  ])
}

t.test('judge: a goal is met up to its limit', async (t) => {
  const ratio = { ratioTo: 'haproxy' }
  const goals = [goal(1.0909091, ratio), goal(1.08, ratio), goal(1.3, { metric: 'p99' })]
  t.same(outcomes(judge(goals, [MEASURED], 2)), [
    [1.091, 'met'],
    [1.091, 'not met'],
    [1.3, 'met'],
  ])
})

t.test('judge: where the limit is the least, from it on', async (t) => {
  const of = { metric: 'p99' }
  const goals = [goal(1.3, of, { least: true }), goal(1.31, of, { least: true })]
  t.same(outcomes(judge(goals, [MEASURED], 2)), [
    [1.3, 'met'],
    [1.3, 'not met'],
  ])
})

t.test('judge: without its peer a goal is not met, and of another scenario left out', async (t) => {
  const goals = [goal(9, { ratioTo: 'nginx' }), goal(9, { metric: 'p99' }, { scenario: 'bulk' })]
  t.same(outcomes(judge(goals, [MEASURED], 2)), [[undefined, 'not met']])
  const ours = section([1], [], [1.1])
  t.same(outcomes(judge([goal(9, ADDED, { fallback })], [ours], 2)), [
    [undefined, 'not met'],
    [undefined, 'not judged'],
  ])
})

t.test('judge: with too few cores it is measured and not judged', async (t) => {
  const goals = [goal(9, { metric: 'p99' }, { cores: 4 })]
  const [few] = judge(goals, [MEASURED], 3)
  t.match(few, { measured: 1.3, outcome: 'not judged', note: '3 cores, and it takes 4' })
  t.equal(judge(goals, [MEASURED], 4)[0]?.outcome, 'met')
})

const ADDED = {
  ratioTo: 'haproxy',
  metric: 'p99-added',
  noise: { least: 0.02, times: 0.1, of: 'p99' },
}
const WHOLE = { ratioTo: 'haproxy', metric: 'p99', noise: { least: 0, times: 2, of: 'late99' } }
const fallback = { text: 'the whole', of: WHOLE }

t.test(
  'judge: what is added is judged where it is more than noise, the whole reported',
  async (t) => {
    const [added, whole] = judge([goal(1.5, ADDED, { fallback })], [MEASURED], 2)
    // Of the first round HAProxy's 0.1 ms is less than a tenth of 1.1 ms: 0.3 / 0.2 and 0.9 / 0.3 count.
    t.same(outcomes(added === undefined ? [] : [added]), [[2.25, 'not met']])
    t.equal(added?.note, 'from 2 of 3 rounds, the rest being noise')
    t.match(whole, { text: 'the whole', limit: 1.5, outcome: 'not judged' })
    t.equal(whole?.measured?.toFixed(3), '1.091')
  },
)

t.test('judge: where what is added is noise, the whole is judged', async (t) => {
  const noisy = section([1.2, 1, 1.4], [1.3, 1.3, 1.3], [1.1, 1.2, 1.3])
  const verdicts = judge([goal(1.1, ADDED, { fallback })], [noisy], 2)
  t.same(outcomes(verdicts), [
    [1, 'not judged'],
    [1.083, 'met'],
  ])
  t.equal(verdicts[0]?.note, 'above the noise in 1 of 3 rounds only')
})

t.test('judge: where the client itself was half of the whole, neither is', async (t) => {
  const late = section([0.8, 0.8], [0.9, 0.9], [0.81, 0.79])
  const verdicts = judge([goal(1.1, ADDED, { fallback })], [late], 2)
  t.same(
    verdicts.map(({ outcome }) => outcome),
    ['not judged', 'not judged'],
  )
  t.ok(
    verdicts.every(({ measured }) => measured !== undefined),
    'and both are shown',
  )
})
