// What a TrafficPolicy says of requests, in real pods: the mode by Service and by port, before the proxy's own, and
// clients that stay with a server by cookie and by header.

import { join } from 'node:path'
import t from 'tap'
import { insideWorld } from '../../demo/pods/world.ts'
import { fieldOf, RemoteClient } from '../support/http-remote.ts'
import { policy, service } from '../support/manifests.ts'
import { type Fields, Mesh } from '../support/mesh.ts'
import { WebServer } from '../support/web-server.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/l7-policy'

const IP = '198.19.0.10'
const TURN = { algorithm: 'roundRobin' }

t.test('l7: policy', { skip }, async (t) => {
  const mesh = await Mesh.open(t)
  const [client, calm, ...servers] = await Promise.all([
    mesh.meshed('client'),
    mesh.meshed('calm', { config: { mode: 'l4' } }),
    mesh.plain('one'),
    mesh.plain('two'),
    mesh.plain('three'),
  ])
  await Promise.all(servers.map(async (pod) => await WebServer.start(mesh, pod)))
  const endpoints = servers.map(({ ip }) => ({ ip }))
  const shop = service({ name: 'shop', ips: [IP], port: 80, target: 8080, endpoints })
  const even = { one: 10, two: 10, three: 10 }
  const tally = async (pod: typeof client, port = 80): Promise<Record<string, number>> => {
    const requester = await RemoteClient.open(pod.agent, IP, port)
    return await requester.tally(30)
  }
  const shares = async (pod: typeof client, port = 80): Promise<number> =>
    Object.keys(await tally(pod, port)).length

  await t.test('l7: the mode of a Service goes before that of the proxy', async (t) => {
    await mesh.publish('shop.yaml', [...shop, policy('shop', { loadBalancer: TURN, mode: 'l4' })])
    t.equal(await shares(client), 1)
    const before = await RemoteClient.open(client.agent, IP, 80)
    await mesh.publish('shop.yaml', [...shop, policy('shop', { loadBalancer: TURN, mode: 'l7' })])
    t.same(await tally(client), even)
    t.same(await tally(calm), even)
    t.match(await client.sidecar.admin('/mode?to=l4', '-X', 'PUT'), { status: 200 })
    t.same(await tally(client), even, 'and PUT /mode is for those without a policy')
    t.match(await client.sidecar.admin('/mode?to=l7', '-X', 'PUT'), { status: 200 })
    t.equal(Object.keys(await before.tally(9)).length, 1, 'an open connection ends as it began')
  })

  await t.test('l7: ports of one Service may differ', async (t) => {
    const spec = {
      clusterIPs: [IP],
      ports: [
        { name: 'requests', port: 80 },
        { name: 'connections', port: 81 },
      ],
    }
    const ports = [
      { name: 'requests', port: 8080 },
      { name: 'connections', port: 8080 },
    ]
    const resources: Fields[] = [
      { apiVersion: 'v1', kind: 'Service', metadata: { name: 'shop' }, spec },
      ...shop.slice(1).map((slice) => ({ ...slice, ports })),
    ]
    const of = (name: string, sectionName: string, rest: Fields): Fields => ({
      ...policy(name, { targetRef: { kind: 'Service', name: 'shop', sectionName }, ...rest }),
    })
    const policies = [
      of('shop-requests', 'requests', { mode: 'l7', loadBalancer: TURN }),
      of('shop-connections', 'connections', { mode: 'l4', loadBalancer: TURN }),
    ]
    await mesh.publish('shop.yaml', [...resources, ...policies])
    for (const pod of [client, calm]) {
      t.same(await tally(pod, 80), even)
      t.equal(await shares(pod, 81), 1)
    }
  })

  await t.test('l7: a client stays with its server by cookie', async (t) => {
    const sessionAffinity = { cookie: { name: 'stays', ttl: '1h' } }
    const loadBalancer = { algorithm: 'maglev', sessionAffinity }
    await mesh.publish('shop.yaml', [...shop, policy('shop', { mode: 'l7', loadBalancer })])
    const jar = join('/tmp', `underpass-jar-${process.pid}`)
    const curl = ['curl', '-sS', '-m', '5', '-b', jar, '-c', jar]
    const seen = new Set<string>()
    for (let round = 0; round < 12; round += 1) {
      // A process and a connection of its own each time: the cookie is all they have in common.
      seen.add((await client.run(...curl, `http://${IP}/`)).stdout)
    }
    t.equal(seen.size, 1, [...seen].join())
    await client.run('rm', '-f', jar)
    const requester = await RemoteClient.open(client.agent, IP, 80)
    const without = new Set<string>()
    for (let round = 0; round < 40; round += 1) {
      const answer = await requester.get('/')
      t.match(fieldOf(answer, 'Set-Cookie'), /^stays=[^;]+; .*Max-Age=3600/)
      without.add(fieldOf(answer, 'x-served-by'))
    }
    t.equal(without.size, 3, 'who has none is anybody')
  })

  await t.test('l7: a client stays with its server by header, others as they fall', async (t) => {
    const loadBalancer = { algorithm: 'ringHash', sessionAffinity: { header: 'x-user' } }
    await mesh.publish('shop.yaml', [...shop, policy('shop', { mode: 'l7', loadBalancer })])
    const requester = await RemoteClient.open(client.agent, IP, 80)
    const homes = new Set<string>()
    for (let user = 0; user < 20; user += 1) {
      const seen = new Set<string>()
      for (let round = 0; round < 4; round += 1) {
        seen.add(fieldOf(await requester.get('/', `X-User: u${user}\r\n`), 'x-served-by'))
      }
      t.equal(seen.size, 1, `u${user}`)
      for (const home of seen) homes.add(home)
    }
    t.equal(homes.size, 3, 'and users are spread')
  })
})
