// One of three instances fails everything at once, under a load that the other two can just carry: what clients see of
// it, and what retries add to the load of those that are well. With a large budget, with the usual one, with a breaker.

import t, { type Test } from 'tap'
import { insideWorld } from '../../demo/pods/world.ts'
import type { Fields } from '../support/mesh.ts'
import { type LoadReport, lineOf, success } from '../support/open-load.ts'
import { busiestSecond } from '../support/service-app.ts'
import { Trio } from '../support/trio.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/resilience-retries'

/** An instance works at 8 requests at once for 52 ms each: at 150 a second, of which it gets 100. */
const RATE = 300
const CAPACITY = { serviceMs: 52, concurrency: 8 }
/** What a second may have more than its share because the machine stood still in the one before. */
const TOLERANCE = 1.1
const TURN = { algorithm: 'roundRobin' }
const RETRIES = {
  attempts: 2,
  on: ['connect-failure', 'reset', 'gateway-error'],
  methods: ['GET'],
  backoff: { base: '5ms', max: '50ms' },
}

interface Sickness {
  readonly report: LoadReport
  /** Milliseconds since 1970. */
  readonly from: number
  readonly to: number
  /** Of the two that are well: the most that came to them in a second. */
  readonly busiest: number
  /** What came to the sick one, in all and by the second of the clock. */
  readonly atSick: number
  readonly bySecond: readonly number[]
}

t.test('resilience: an instance that fails everything', { skip }, async (t) => {
  const trio = await Trio.open(t, CAPACITY)
  const [sick, ...healthy] = trio.apps
  if (sick === undefined) throw new Error('no instances')

  /** A load that goes on while one instance fails, and `then` happens at the end of it. */
  const sicken = async (name: string, spec: Fields, seconds: number): Promise<Sickness> => {
    const url = await trio.service(name, spec)
    const load = await trio.load({ url, rate: RATE })
    await load.goesOn(2)
    const before = await sick.stats()
    const from = sick.tell({ mode: 'fail', status: 503 })
    await load.goesOn(seconds)
    const after = await sick.stats()
    const to = Date.now()
    const report = await load.stop()
    sick.tell({ mode: 'ok' })
    const busiest = await busiestSecond(healthy, from, to)
    const first = Math.floor(from / 1000)
    const bySecond: number[] = Array.from({ length: Math.ceil(to / 1000) - first }, () => 0)
    for (const { at, failed } of after.seconds) if (at >= first) bySecond[at - first] = failed
    return { report, from, to, busiest, atSick: after.arrived - before.arrived, bySecond }
  }
  const tell = (t: Test, what: string, seen: Sickness): void => {
    const { report, from, to, busiest, atSick, bySecond } = seen
    report.comment(t, what)
    const during = report.between(from, to)
    const share = (100 * success(during)).toFixed(2)
    t.comment(`${what}: ${share} % of the requests succeeded while it was sick; ${lineOf(during)}`)
    const most = `${busiest} requests in a second at most, ${(busiest / RATE).toFixed(2)} of what is offered`
    t.comment(
      `${what}: at the two that are well ${most}; at the sick one ${atSick}: ${bySecond.join(' ')}`,
    )
  }

  await t.test('resilience: without a policy a third of the requests fails', async (t) => {
    const seen = await sicken('bare', { loadBalancer: TURN }, 3)
    tell(t, 'no policy', seen)
    const share = success(seen.report.between(seen.from, seen.to))
    t.ok(share < 0.75, `${share}`)
    t.ok(seen.busiest <= RATE * TOLERANCE, `${seen.busiest}`)
  })

  await t.test('resilience: retries within a budget of 50 % hide it', async (t) => {
    const retries = { ...RETRIES, budget: { percent: 50, minPerSecond: 10, window: '10s' } }
    const seen = await sicken('ample', { loadBalancer: TURN, retries }, 4)
    tell(t, 'budget 50 %', seen)
    t.ok(success(seen.report.between(seen.from, seen.to)) >= 0.999)
    t.ok(seen.busiest <= 1.5 * RATE * TOLERANCE, `${seen.busiest} requests in a second`)
    const labels = { service: 'ample.default:80' }
    const retried = await trio.client.sidecar.metric('underpass_http_retries_total', labels)
    t.ok(retried > seen.atSick * 0.95, `${retried} retries counted of ${seen.atSick} failures`)
  })

  await t.test('resilience: the usual budget bounds what retries add', async (t) => {
    const seen = await sicken('usual', { loadBalancer: TURN, retries: RETRIES }, 4)
    tell(t, 'budget 20 %', seen)
    t.ok(seen.busiest <= 1.2 * RATE * TOLERANCE, `${seen.busiest} requests in a second`)
    t.ok(success(seen.report.between(seen.from, seen.to)) > 0.75)
  })

  await t.test('resilience: when everything fails, retries stay a fifth', async (t) => {
    const url = await trio.service('storm', { loadBalancer: TURN, retries: RETRIES })
    const load = await trio.load({ url, rate: RATE })
    const from = Date.now()
    for (const app of trio.apps) app.tell({ mode: 'fail', status: 503 })
    await load.goesOn(4)
    const to = Date.now()
    const report = await load.stop()
    for (const app of trio.apps) app.tell({ mode: 'ok' })
    const most = await busiestSecond(trio.apps, from, to)
    const limit = 1.2 * RATE * TOLERANCE + 10
    t.comment(
      `all fail: ${most} requests in a second at most, ${(most / RATE).toFixed(2)} of what is offered`,
    )
    t.ok(most <= limit, `${most} requests in a second, of ${limit}`)
    t.equal(report.all.ok, 0)
  })

  await t.test('resilience: with a breaker it is left alone', async (t) => {
    const circuitBreaker = { outlier: { consecutiveFailures: 5 } }
    const since = trio.client.sidecar.lines.length
    const seen = await sicken('guarded', { retries: RETRIES, circuitBreaker }, 15)
    tell(t, 'breaker', seen)
    const { sent } = seen.report.between(seen.from, seen.to)
    t.ok(success(seen.report.between(seen.from, seen.to)) >= 0.999)
    const share = sent / trio.apps.length
    t.ok(seen.atSick <= share * 0.01, `${seen.atSick} of its share of ${share.toFixed(0)}`)
    t.ok(trio.client.sidecar.lines.length > since, 'and the log says so')
  })
})
