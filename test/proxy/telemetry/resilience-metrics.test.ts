// The page's lines about what was sent again and the like: which there are, with which labels, and for whom.

import { Registry } from 'prom-client'
import t from 'tap'
import { CounterRegistry } from '../../../src/proxy/stack/counters.ts'
import {
  ResilienceCounters,
  type ResilienceLine,
} from '../../../src/proxy/stack/resilience-counters.ts'
import { Metrics } from '../../../src/proxy/telemetry/metrics.ts'
import { addResilienceMetrics } from '../../../src/proxy/telemetry/resilience-metrics.ts'

function line(service: string, left?: (now: number) => number): ResilienceLine {
  const retryBudget = left === undefined ? undefined : { left }
  return { direction: 'outbound', service, resilience: new ResilienceCounters(), retryBudget }
}

async function page(lines: readonly ResilienceLine[], now = 0): Promise<string[]> {
  const registry = new Registry()
  addResilienceMetrics(
    registry,
    () => lines,
    () => now,
  )
  return (await registry.metrics()).split('\n').filter((text) => /^[a-z]/.test(text))
}

t.test('resilience metrics: everything that is counted', async (t) => {
  const shop = line('shop.default:80', (now) => now / 10)
  const { resilience } = shop
  resilience.retries.set('reset', 3).set('hedge', 2)
  resilience.denied.set('budget', 4)
  resilience.retrySuccesses = 5
  resilience.retryFailures = 6
  resilience.hedgesWon = 1
  resilience.faultDelays = 7
  resilience.faultAborts = 8
  resilience.mirrored = 9
  resilience.mirrorsDropped = 10
  resilience.mirrorFailures = 11
  const of = 'direction="outbound",service="shop.default:80"'
  t.same(await page([shop], 120), [
    `underpass_http_retries_total{${of},reason="reset"} 3`,
    `underpass_http_retries_total{${of},reason="hedge"} 2`,
    `underpass_http_retries_denied_total{${of},reason="budget"} 4`,
    `underpass_http_retry_outcomes_total{${of},outcome="success"} 5`,
    `underpass_http_retry_outcomes_total{${of},outcome="failure"} 6`,
    `underpass_http_faults_injected_total{${of},kind="delay"} 7`,
    `underpass_http_faults_injected_total{${of},kind="abort"} 8`,
    `underpass_http_mirrors_total{${of},outcome="sent"} 9`,
    `underpass_http_mirrors_total{${of},outcome="dropped"} 10`,
    `underpass_http_hedges_won_total{${of}} 1`,
    `underpass_http_mirror_failures_total{${of}} 11`,
    `underpass_http_retry_budget_remaining{${of}} 12`,
  ])
})

t.test('resilience metrics: what a service has had nothing of is left out', async (t) => {
  t.same(await page([line('shop.default:80', () => 100), line('egress')]), [])
  const denied = line('shop.default:80', () => 0)
  denied.resilience.denied.set('budget', 1)
  t.match(await page([denied]), [/denied/, /budget_remaining.* 0$/])
})

t.test('resilience metrics: they are on the page', async (t) => {
  const shop = line('shop.default:80', (now) => now)
  shop.resilience.retries.set('status', 1)
  const metrics = new Metrics(new CounterRegistry(), () => 0, {
    services: () => [shop],
    now: () => 42,
  })
  t.teardown(() => {
    metrics.stop()
  })
  const text = await metrics.page()
  t.match(text, 'underpass_http_retries_total{direction="outbound",service="shop.default:80"')
  t.match(text, /underpass_http_retry_budget_remaining\{.*\} 42/)
})
