// The metrics of circuit breakers, line by line, and over several processes.

import { AggregatorRegistry, Registry } from 'prom-client'
import t from 'tap'
import { Destination, SinglePicker } from '../../../src/proxy/stack/destination.ts'
import { addHealthMetrics } from '../../../src/proxy/telemetry/health-metrics.ts'
import { Watched } from '../resilience/watched.ts'

const RULES = { connectTimeout: 1, idleTimeout: 1 }

/** A Service whose endpoints are watched, and one without a policy. */
function services(w: Watched): () => Destination[] {
  const shop = new Destination('outbound', 'shop.default:80', w.picker(), RULES)
  shop.health = w.health
  Object.assign(shop.resilience, w.resilience)
  const plain = new Destination('outbound', 'plain.default:80', new SinglePicker(w.at(0)), RULES)
  return () => [shop, plain]
}

function registryOf(w: Watched): Registry {
  const registry = new Registry()
  addHealthMetrics(registry, services(w))
  return registry
}

async function shown(registry: Pick<Registry, 'metrics'>): Promise<string[]> {
  return (await registry.metrics()).split('\n').filter((line) => line.startsWith('underpass_'))
}

/** One endpoint out, one on probation, one closed, one that was never asked. */
function made(): Watched {
  const w = new Watched(4, { maxEjectedPercent: 100 })
  w.attempt(2)
  w.trip(0)
  w.trip(1)
  w.clock.advance(1000)
  w.attempt(0)
  w.trip(0)
  w.send(1)
  return w
}

t.test('health metrics: the page, line by line', async (t) => {
  const service = 'service="shop.default:80"'
  t.same(await shown(registryOf(made())), [
    `underpass_breaker_state{${service},endpoint="10.1.0.1:80"} 2`,
    `underpass_breaker_state{${service},endpoint="10.1.0.2:80"} 1`,
    `underpass_breaker_state{${service},endpoint="10.1.0.3:80"} 0`,
    `underpass_panicking{${service}} 0`,
    `underpass_ejections_total{${service},reason="consecutive-failures"} 3`,
    `underpass_ejections_spared_total{${service}} 0`,
    `underpass_readmissions_total{${service}} 1`,
    `underpass_panics_total{${service}} 0`,
  ])
})

t.test('health metrics: of several processes states are the worst, counts are added', async (t) => {
  const bad = made()
  bad.trip(2)
  const calm = new Watched(4)
  for (const at of [0, 1, 2, 3]) calm.attempt(at)
  const figures = await Promise.all([bad, calm].map((w) => registryOf(w).getMetricsAsJSON()))
  const lines = await shown(AggregatorRegistry.aggregate(figures))
  const service = 'service="shop.default:80"'
  for (const line of [
    `underpass_breaker_state{${service},endpoint="10.1.0.3:80"} 2`,
    `underpass_breaker_state{${service},endpoint="10.1.0.4:80"} 0`,
    `underpass_panicking{${service}} 1`,
    `underpass_panics_total{${service}} 1`,
    `underpass_ejections_total{${service},reason="consecutive-failures"} 4`,
  ]) {
    t.ok(lines.includes(line), line)
  }
})

t.test('health metrics: nothing where no policy ejects endpoints', async (t) => {
  const registry = new Registry()
  addHealthMetrics(registry, () => [])
  t.same(await shown(registry), [])
})
