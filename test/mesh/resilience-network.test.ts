// An instance that vanishes behind a firewall, or dies, under a load that does not wait: who pays for finding out, when
// it is over, and what the sidecar says of it in its log, its metrics and on its admin port.

import t, { type Test } from 'tap'
import { APP_UID } from '../../demo/pods/network.ts'
import { insideWorld } from '../../demo/pods/world.ts'
import type { Fields } from '../support/mesh.ts'
import { type LoadReport, lineOf, median, mediansOfThree, success } from '../support/open-load.ts'
import { Trio } from '../support/trio.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/resilience-network'

const RETRIES = 'underpass_http_retries_total'
const RATE = 200
const CAPACITY = { serviceMs: 20, concurrency: 400, padding: 2000 }
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
    await load.goesOn(3)
    const from = Date.now()
    await trio.apps[1]?.kill()
    await load.goesOn(5)
    const report = await load.stop()
    await trio.restart(1)
    judgeRecovery(t, 'killed', report, from)
    t.same(report.failures.slice(0, 5), [])
  })

  // Beside `two` and `three`, a way to `one` that spoils what goes over it.
  const between = await trio.mesh.plain('between')
  const [one, ...others] = trio.pods
  const places = [`${between.ip}:8080`, `${one?.ip}:8080`]
  const program = 'build/test/support/fault-proxy-program.js'
  const spoiler = between.pod.start(APP_UID, ['node', program, ...places])
  await spoiler.prints(/"port"/)
  /** A load during which the way is spoiled after a second, and mended before the next one. */
  const spoiled = async (name: string, fault: Fields): Promise<LoadReport> => {
    const url = await trio.service(name, SPEC, [between, ...others])
    const load = await trio.load({ url, rate: RATE })
    await load.goesOn(1)
    spoiler.process.stdin?.write(`${JSON.stringify(fault)}\n`)
    await load.goesOn(4)
    const report = await load.stop()
    spoiler.process.stdin?.write('{"kind":"none"}\n')
    const retried = await client.sidecar.metric(RETRIES, { service: `${name}.default:80` })
    t.comment(`${name}: ${lineOf(report.all)}; ${retried} retries`)
    return report
  }

  await t.test('resilience: resets in the middle of a head cost nobody anything', async (t) => {
    const report = await spoiled('reset', { kind: 'reset', after: 40 })
    t.same(report.failures.slice(0, 5), [])
    t.ok((await client.sidecar.metric(RETRIES, { service: 'reset.default:80' })) >= 3)
  })

  await t.test('resilience: a response that is cut is never taken for a whole one', async (t) => {
    const report = await spoiled('cut', { kind: 'cut', after: 1000 })
    t.comment(report.failures.slice(0, 10))
    // Its head has left: there is nothing to send again, and the client is told by a reset.
    const { length } = report.failures
    t.ok(length > 0 && length <= 12, `${length} failed until its breaker opened, probes included`)
    t.ok(report.failures.every(({ status }) => status === 0))
  })

  await t.test('resilience: one that says nothing costs the time of a try', async (t) => {
    const report = await spoiled('silent', { kind: 'stall' })
    t.same(report.failures.slice(0, 5), [])
    const over = report.waitsOver(PER_TRY * 0.9)
    t.comment(`silent: ${over.length} waited for a try, the longest ${over[0]?.[1]} ms`)
    t.ok((over[0]?.[1] ?? 0) < 2 * PER_TRY + 100)
  })
})
