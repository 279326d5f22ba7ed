// Short runs of every scenario, held against its own verdicts; and that a seed gives the same again, to the byte.

import t from 'tap'
import { SCENARIOS } from '../../../bench/simulate/catalog.ts'
import { sectionOf } from '../../../bench/simulate/report.ts'
import { filesOf, simulate } from '../../../bench/simulate/run.ts'
import { renderText } from '../../../bench/simulate/table.ts'

const SEED = 1
const SECONDS = 24

for (const scenario of SCENARIOS) {
  t.test(`scenario: ${scenario.name}: its verdicts are met`, async (t) => {
    const finding = scenario.run(SEED, SECONDS)
    for (const { text, measured, limit, isMet } of finding.verdicts) {
      t.ok(isMet, `${text}: ${measured}, limit ${limit}, seed ${SEED}`)
    }
    t.ok(finding.verdicts.length > 0)
    const keys = finding.metrics.map(({ key }) => key)
    for (const { figures } of finding.variants) t.same(Object.keys(figures), keys)
    for (const { lines } of finding.charts) {
      for (const { values } of lines) t.equal(values.length, SECONDS)
    }
    t.ok(sectionOf(finding).charts.length > 0)
  })
}

t.test('simulation: the same seed gives the same output, another one another', async (t) => {
  const options = { seed: 5, seconds: SECONDS, scenarios: ['rolling-restart'] }
  const told: string[] = []
  const [one, two, other] = [options, options, { ...options, seed: 6 }].map((chosen) => {
    const report = simulate(chosen, (name) => told.push(name))
    return JSON.stringify([renderText(report), filesOf(report)])
  })
  t.equal(one, two)
  t.not(one, other)
  t.same(told, ['rolling-restart', 'rolling-restart', 'rolling-restart'])
  t.match(one, 'npm run simulate -- --seed 5 --seconds 24 --scenario rolling-restart')
})
