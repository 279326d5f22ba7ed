// An instance that vanishes behind a firewall, or dies, under a load that does not wait: who pays for finding out, when
// it is over, and what the sidecar says of it in its log, its metrics and on its admin port.

import t, { type Test } from 'tap'
import { insideWorld } from '../../demo/pods/world.ts'
import { type LoadReport, lineOf, median, mediansOfThree, success } from '../support/open-load.ts'
import { Trio } from '../support/trio.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/resilience-network'

const RATE = 200
const CAPACITY = { serviceMs: 20, concurrency: 400 }
/** Milliseconds that an instance may take to accept, and to answer. */
const CONNECT = 300
const PER_TRY = 500
const SPEC = {
  loadBalancer: { algorithm: 'roundRobin' },
  timeouts: { connect: `${CONNECT}ms`, perTry: `${PER_TRY}ms` },
  retries: {
    attempts: 2,
    on: ['connect-failure', 'reset', 'per-try-timeout'],
    budget: { percent: 50, minPerSecond: 20, window: '10s' },
  },
  circuitBreaker: { outlier: { consecutiveFailures: 3, ejection: { base: '1s', max: '30s' } } },
}
/** The least that may be taken for the healthy p99, in milliseconds: a busy machine is as slow as that. */
const FLOOR = 50

t.test('resilience: instances that vanish', { skip }, async (t) => {
  const trio = await Trio.open(t, CAPACITY)
  const { client } = trio
  const [, victim] = trio.pods
  if (victim === undefined) throw new Error('no pods')

  const judgeRecovery = (t: Test, what: string, report: LoadReport, from: number): void => {
    report.comment(t, what)
    const begun = report.loaded.startedAt
    const healthy = median(report.seconds(begun + 1000, from).map(({ p99 }) => p99))
    const after = mediansOfThree(report.seconds(from).map(({ p99 }) => p99))
    const figures = after.map((p99) => p99.toFixed(0)).join(', ')
    t.comment(`${what}: p99 ${healthy.toFixed(0)} ms before; median of three after: ${figures}`)
    const limit = 1.5 * Math.max(healthy, FLOOR)
    t.ok(Math.max(...after.slice(2)) <= limit, `p99 is at most ${limit.toFixed(0)} ms again`)
    t.comment(`${what}: ${lineOf(report.all)}`)
    t.ok(success(report.all) >= 0.999)
  }

  await t.test('resilience: behind a firewall only probes wait for it', async (t) => {
    const url = await trio.service('hole', SPEC)
    const drop = ['INPUT', '-s', client.ip, '-j', 'DROP']
    const load = await trio.load({ url, rate: RATE })
    await load.goesOn(4)
    await victim.root('iptables', '-I', ...drop)
    const from = Date.now()
    await load.goesOn(8)
    const report = await load.stop()
    await victim.root('iptables', '-D', ...drop)
    judgeRecovery(t, 'black hole', report, from)
    const { startedAt } = report.loaded
    const waits = report.waitsOver(CONNECT * 0.9).filter(([at]) => startedAt + at > from + 2000)
    const moments = waits.map(
      ([at, ms]) => `${((startedAt + at - from) / 1000).toFixed(1)} s: ${ms} ms`,
    )
    t.comment(`black hole: waits from 2 s on: ${moments.join(', ')}`)
    t.ok(waits.length <= 4, `${waits.length} requests waited for it`)
  })

  await t.test('resilience: what was found is said', async (t) => {
    const endpoint = `${victim.ip}:8080`
    const labels = { service: 'hole.default:80', endpoint }
    t.comment((await client.sidecar.admin('/endpoints')).body)
    const metrics = (await client.sidecar.admin('/metrics')).body.split('\n')
    t.comment(metrics.filter((line) => /breaker|retr|eject/.test(line)).join('\n'))
    t.comment(client.sidecar.lines.filter((line) => line['level'] !== 'info').slice(-20))
    t.ok((await client.sidecar.metric('underpass_breaker_state', labels)) > 0, 'it is open')
  })

  await t.test('resilience: killed under load', async (t) => {
    const url = await trio.service('killed', SPEC)
    const load = await trio.load({ url, rate: RATE })
    await load.goesOn(4)
    const from = Date.now()
    await trio.apps[1]?.kill()
    await load.goesOn(5)
    const report = await load.stop()
    await trio.restart(1)
    judgeRecovery(t, 'killed', report, from)
    t.same(report.failures.slice(0, 5), [])
  })
})
