// Two workers in a pod with real rules: redirected connections of both directions and families are carried by both,
// balanced, counted as one, and go on when one of them dies. Loops end, though workers do not know of each other.

import t from 'tap'
import { APP_UID } from '../../demo/pods/network.ts'
import { insideWorld } from '../../demo/pods/world.ts'
import { Agent } from '../support/agent.ts'
import { policy, service } from '../support/manifests.ts'
import { Mesh, type Sidecar } from '../support/mesh.ts'
import { until } from '../support/until.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/l4-workers'

const IP = '198.19.0.10'
const IP6 = 'fd00:1::10'
const OPENED = 'underpass_tcp_connections_opened_total'

t.test('l4: workers', { skip }, async (t) => {
  const mesh = await Mesh.open(t, { mode: 'l4' })
  const config = { workers: 2, log: { level: 'debug' } }
  const [client, one, two, lost] = await Promise.all([
    mesh.meshed('client', { config }),
    mesh.meshed('one', { config }),
    mesh.plain('two'),
    mesh.network.pod('lost'),
  ])
  const { agent, sidecar } = client
  await one.agent.listen(8080, { greeting: 'one', end: true })
  await two.agent.listen(8080, { greeting: 'two', end: true })
  const endpoints = [{ ip: one.ip }, { ip: two.ip }]
  const shop = service({ name: 'shop', ips: [IP, IP6], port: 80, target: 8080, endpoints })
  const turn = policy('shop', { loadBalancer: { algorithm: 'roundRobin' } })
  await mesh.publish('shop.yaml', [...shop, turn])
  // Each worker reads the manifests by itself.
  await until('both workers know them', () =>
    [sidecar, one.sidecar].every((each) => known(each).size === 2),
  )

  await t.test('l4: both workers carry what is redirected, and take turns each', async (t) => {
    let total = 0
    while (total < 400 && !(bothIn(sidecar) && bothIn(one.sidecar))) {
      for (const ip of [IP, IP6]) {
        const shares = await agent.tally(20, ip, 80)
        // Each worker takes turns by itself: of an odd number one endpoint has one more.
        t.ok(Math.abs((shares['one'] ?? 0) - (shares['two'] ?? 0)) <= 2, JSON.stringify(shares))
        total += 20
      }
    }
    t.ok(bothIn(sidecar), 'outbound')
    t.ok(bothIn(one.sidecar), 'inbound')
    t.equal(await sidecar.metric(OPENED, { service: 'shop.default:80' }), total)
    const inbound = await one.sidecar.metric(OPENED, { direction: 'inbound' })
    const toOne = await sidecar.metric(OPENED, { endpoint: `${one.ip}:8080` })
    t.equal(inbound, toOne)
    const { body } = await sidecar.admin('/endpoints')
    t.match(JSON.parse(body), [{ service: 'shop.default:80', endpoints: { length: 2 } }])
  })

  await t.test("l4: the proxy's own ports stay refused", async (t) => {
    for (const port of [15001, 15006]) {
      t.match(await agent.ask(one.ip, port), /ECONNRE/)
      await one.sidecar.logs({ error: 'proxy-loop', target: `${one.ip}:${port}` })
    }
    t.equal(await one.agent.ask(one.ip, 8080), 'one', 'an application reaches itself')
  })

  await t.test('l4: one worker dies, and the applications do not notice', async (t) => {
    const [{ pid } = {}] = sidecar.find({ event: 'worker-started', worker: 1 })
    process.kill(Number(pid), 'SIGKILL')
    await sidecar.logs({ event: 'worker-ended', worker: 1 })
    const shares = await agent.tally(20, IP, 80)
    t.equal((shares['one'] ?? 0) + (shares['two'] ?? 0), 20, JSON.stringify(shares))
    await until('it is replaced', async () => (await sidecar.metric('underpass_workers')) === 2)
    t.equal(await sidecar.metric('underpass_worker_restarts_total'), 1)
  })

  await t.test(
    'l4: workers under the wrong uid meet each other, and that has an end',
    async (t) => {
      const strange = await mesh.sidecar(lost, { uid: APP_UID, config })
      const hand = new Agent(lost)
      for (const ip of [two.ip, two.ip6, IP]) t.match(await hand.ask(ip, 8080), /ECONNRE/, ip)
      await strange.logs({ event: 'refused', error: 'proxy-loop' })
      await until('nothing stays open', async () => {
        return (await strange.metric('underpass_sessions')) === 0
      })
      const times = strange.find({ event: 'closed' }).length
      t.comment(`${times} times through the proxy for 3 connections`)
      t.ok(times < 2000)
    },
  )
})

/** The workers that know of the Service. */
function known(sidecar: Sidecar): Set<unknown> {
  const lines = sidecar.find({ event: 'discovery', services: 1 })
  return new Set(lines.map(({ worker }) => worker))
}

/** True if both workers have carried something to its end. */
function bothIn(sidecar: Sidecar): boolean {
  const lines = sidecar.find({ event: 'closed' })
  return new Set(lines.map(({ worker }) => worker)).size === 2
}
