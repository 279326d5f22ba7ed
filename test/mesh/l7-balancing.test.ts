// Requests of one connection, balanced one by one over meshed servers with real rules; the same connection in mode l4;
// and the mode changed while connections are open.

import t from 'tap'
import { insideWorld } from '../../demo/pods/world.ts'
import { RemoteClient } from '../support/http-remote.ts'
import { policy, service } from '../support/manifests.ts'
import { Mesh } from '../support/mesh.ts'
import { WebServer } from '../support/web-server.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/l7-balancing'

const IP = '198.19.0.10'
const IP6 = 'fd00:1::10'
const REQUESTS = 'underpass_http_requests_total'
const OPENED = 'underpass_tcp_connections_opened_total'

t.test('l7: balancing', { skip }, async (t) => {
  const mesh = await Mesh.open(t)
  const [client, calm, ...servers] = await Promise.all([
    mesh.meshed('client'),
    mesh.meshed('calm', { config: { mode: 'l4' } }),
    mesh.meshed('one'),
    mesh.meshed('two'),
    mesh.meshed('three'),
  ])
  await Promise.all(servers.map(async (pod) => await WebServer.start(mesh, pod)))
  const endpoints = servers.map(({ ip }) => ({ ip }))
  const shop = { name: 'shop', ips: [IP, IP6], port: 80, target: 8080, endpoints }
  const turn = policy('shop', { loadBalancer: { algorithm: 'roundRobin' } })
  await mesh.publish('shop.yaml', [...service(shop), turn])
  const { agent, sidecar } = client
  const even = { one: 10, two: 10, three: 10 }

  await t.test('l7: the requests of one connection are spread evenly, both families', async (t) => {
    const before = await sidecar.metric(OPENED)
    const requester = await RemoteClient.open(agent, IP, 80)
    t.same(await requester.tally(30), even)
    const other = await RemoteClient.open(agent, IP6, 80)
    t.same(await other.tally(30), even)
    for (const { ip, sidecar: beside } of servers) {
      const labels = { direction: 'outbound', service: 'shop.default:80', endpoint: `${ip}:8080` }
      t.equal(await sidecar.metric(REQUESTS, { ...labels, status: '200' }), 20)
      t.equal(await beside.metric(REQUESTS, { direction: 'inbound', status: '200' }), 20)
    }
    // The endpoint of the first connection is connected to before it is known that HTTP is spoken.
    const opened = (await sidecar.metric(OPENED)) - before
    t.ok(opened >= 3 && opened <= 5, `connections are used again: ${opened} opened`)
  })

  await t.test('l7: the usual algorithm leaves no server out', async (t) => {
    await mesh.publish('shop.yaml', service(shop))
    const requester = await RemoteClient.open(agent, IP, 80)
    const shares = await requester.tally(60)
    t.same(Object.keys(shares).sort(), ['one', 'three', 'two'])
    t.ok(Math.min(...Object.values(shares)) >= 10, JSON.stringify(shares))
    await mesh.publish('shop.yaml', [...service(shop), turn])
  })

  await t.test('l7: with mode l4 in the configuration a connection keeps its server', async (t) => {
    const answers = await Promise.all(
      [1, 2, 3].map(async () => {
        const requester = await RemoteClient.open(calm.agent, IP, 80)
        return await requester.tally(10)
      }),
    )
    t.same(
      answers.map((each) => Object.values(each)),
      [[10], [10], [10]],
    )
    t.same(answers.flatMap((each) => Object.keys(each)).sort(), ['one', 'three', 'two'])
    t.equal(await calm.sidecar.metric(REQUESTS), 0, 'it has not looked at requests')
  })

  await t.test('l7: the mode changes while connections are open', async (t) => {
    const before = await RemoteClient.open(agent, IP, 80)
    t.same(await before.tally(3), { one: 1, two: 1, three: 1 })
    t.match(await sidecar.admin('/mode?to=l4', '-X', 'PUT'), { status: 200 })
    t.match(await sidecar.logs({ event: 'mode', mode: 'l4' }), { before: 'l7' })
    const during = await RemoteClient.open(agent, IP, 80)
    t.equal(Object.keys(await during.tally(30)).length, 1, 'a new one is of one server')
    t.same(await before.tally(30), even, 'an open one ends as it began')
    t.match(await sidecar.admin('/mode?to=l7', '-X', 'PUT'), { status: 200 })
    const after = await RemoteClient.open(agent, IP, 80)
    t.same(await after.tally(30), even)
    t.equal(Object.keys(await during.tally(30)).length, 1)
    t.same(await before.tally(30), even)
    t.match(await sidecar.admin('/mode?to=l5', '-X', 'PUT'), { status: 400 })
  })

  await t.test('l7: weights are weights of requests', async (t) => {
    const weighted = endpoints.map((each, at) => ({ ...each, weight: [1, 2, 3][at] ?? 1 }))
    await mesh.publish('shop.yaml', [...service({ ...shop, endpoints: weighted }), turn])
    const requester = await RemoteClient.open(agent, IP, 80)
    t.same(await requester.tally(60), { one: 10, two: 20, three: 30 })
  })
})
