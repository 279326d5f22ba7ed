// An instance that vanishes behind a firewall, or dies, under a load that does not wait: who pays for finding out, when
// it is over, and what the sidecar says of it in its log, its metrics and on its admin port.

import t, { type Test } from 'tap'
import { APP_UID } from '../../demo/pods/network.ts'
import { insideWorld } from '../../demo/pods/world.ts'
import type { Fields, MeshPod } from '../support/mesh.ts'
import { type LoadReport, lineOf, median, mediansOfThree, success } from '../support/open-load.ts'
import { Trio } from '../support/trio.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/resilience-network'

const RETRIES = 'underpass_http_retries_total'
const STATE = 'underpass_breaker_state'
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
  circuitBreaker: { outlier: { consecutiveFailures: 3, ejection: { base: '1s', max: '2s' } } },
}
/** The least that may be taken for the healthy p99, in milliseconds: a busy machine is as slow as that. */
const FLOOR = 50

interface ShownService {
  readonly service: string
  readonly endpoints: readonly { readonly address: string; readonly breaker: unknown }[]
}

t.test('resilience: instances that vanish', { skip }, async (t) => {
  const trio = await Trio.open(t, CAPACITY)
  const { client } = trio
  const [, victim] = trio.pods
  if (victim === undefined) throw new Error('no pods')

  const labelsOf = (name: string, { ip }: MeshPod): Record<string, string> => {
    return { service: `${name}.default:80`, endpoint: `${ip}:8080` }
  }
  /** A change of its breaker, as the log has it. */
  const changeOf = (name: string, pod: MeshPod): Fields => {
    return { event: 'breaker', ...labelsOf(name, pod) }
  }
  /** As /endpoints shows it. */
  const breakerOf = async (name: string, pod: MeshPod): Promise<unknown> => {
    const { service, endpoint } = labelsOf(name, pod)
    const services = JSON.parse((await client.sidecar.admin('/endpoints')).body) as ShownService[]
    const shown = services.find((each) => each.service === service)
    return shown?.endpoints.find(({ address }) => address === endpoint)?.breaker
  }

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
    await load.goesOn(3)
    await victim.root('iptables', '-I', ...drop)
    const from = Date.now()
    await load.goesOn(7)
    const until = Date.now()
    t.match(await breakerOf('hole', victim), { state: /^(open|half-open)$/ })
    t.ok((await client.sidecar.metric(STATE, labelsOf('hole', victim))) > 0, 'it is open')
    await victim.root('iptables', '-D', ...drop)
    await client.sidecar.logs({ ...changeOf('hole', victim), to: 'closed' })
    const report = await load.stop()
    judgeRecovery(t, 'black hole', report, from)
    const { startedAt } = report.loaded
    const waits = report.waitsOver(CONNECT * 0.9).filter(([at]) => {
      return startedAt + at > from + 2000 && startedAt + at < until
    })
    const moments = waits.map(
      ([at, ms]) => `${((startedAt + at - from) / 1000).toFixed(1)} s: ${ms} ms`,
    )
    t.comment(`black hole: waits from 2 s on: ${moments.join(', ')}`)
    t.ok(waits.length <= 5, `${waits.length} requests waited for it`)
  })

  await t.test('resilience: what was found is in log, metrics and /endpoints', async (t) => {
    const { sidecar } = client
    const changes = sidecar.find(changeOf('hole', victim)).map(({ from, to, reason }) => {
      return [from, to, reason].join(' ')
    })
    t.comment(changes.join(', '))
    t.equal(changes[0], 'closed open consecutive-failures')
    t.equal(changes[1], 'open half-open ejection-over')
    t.ok(changes.includes('half-open open probe'))
    t.equal(changes.at(-1), 'half-open closed probe-passed')
    t.match(await breakerOf('hole', victim), { state: 'closed', consecutiveFailures: 0 })
    t.equal(await sidecar.metric(STATE, labelsOf('hole', victim)), 0)
    const service = 'hole.default:80'
    const counted = async (name: string, reason: string): Promise<number> =>
      await sidecar.metric(name, reason === '' ? { service } : { service, reason })
    t.equal(await counted('underpass_ejections_total', 'consecutive-failures'), 1)
    t.ok((await counted('underpass_ejections_total', 'probe')) >= 1)
    t.equal(await counted('underpass_readmissions_total', ''), 1)
    t.ok((await counted(RETRIES, 'per-try-timeout')) >= 3)
  })

  await t.test('resilience: killed under load', async (t) => {
    const url = await trio.service('killed', SPEC)
    const load = await trio.load({ url, rate: RATE })
    await load.goesOn(2)
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
  const spoiled = async (t: Test, name: string, fault: Fields): Promise<LoadReport> => {
    const url = await trio.service(name, SPEC, [between, ...others])
    const load = await trio.load({ url, rate: RATE })
    await load.goesOn(1)
    spoiler.process.stdin?.write(`${JSON.stringify(fault)}\n`)
    await load.goesOn(3)
    const report = await load.stop()
    spoiler.process.stdin?.write('{"kind":"none"}\n')
    const retried = await client.sidecar.metric(RETRIES, { service: `${name}.default:80` })
    t.comment(`${name}: ${lineOf(report.all)}; ${retried} retries`)
    return report
  }

  await t.test('resilience: resets in the middle of a head cost nobody anything', async (t) => {
    const report = await spoiled(t, 'reset', { kind: 'reset', after: 40 })
    t.same(report.failures.slice(0, 5), [])
    t.ok((await client.sidecar.metric(RETRIES, { service: 'reset.default:80' })) >= 3)
  })

  await t.test('resilience: a response that is cut is never taken for a whole one', async (t) => {
    const report = await spoiled(t, 'cut', { kind: 'cut', after: 1000 })
    t.comment(report.failures.slice(0, 10))
    // Its head has left: there is nothing to send again, and the client is told by a reset.
    const { length } = report.failures
    t.ok(length > 0 && length <= 12, `${length} failed until its breaker opened, probes included`)
    t.ok(report.failures.every(({ status }) => status === 0))
  })

  await t.test('resilience: one that says nothing costs the time of a try', async (t) => {
    const report = await spoiled(t, 'silent', { kind: 'stall' })
    t.same(report.failures.slice(0, 5), [])
    const over = report.waitsOver(PER_TRY * 0.9)
    t.comment(`silent: ${over.length} waited for a try, the longest ${over[0]?.[1]} ms`)
    t.ok((over[0]?.[1] ?? 0) < 2 * PER_TRY + 100)
  })
})
