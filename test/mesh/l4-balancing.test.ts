// Which endpoint a connection goes to, seen by applications in pods with real rules: Service addresses of both
// families, each algorithm, affinity, endpoints dialled by their own address, and what is no endpoint at all.

import t from 'tap'
import { insideWorld } from '../../demo/pods/world.ts'
import { policy, service, type TestEndpoint } from '../support/manifests.ts'
import { Mesh } from '../support/mesh.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/l4-balancing'

const IP = '198.19.0.10'
const IP6 = 'fd00:1::10'

t.test('l4: balancing', { skip }, async (t) => {
  const mesh = await Mesh.open(t, { mode: 'l4' })
  const [client, one, two, three, outside] = await Promise.all([
    mesh.meshed('client'),
    mesh.meshed('one'),
    mesh.plain('two'),
    mesh.plain('three'),
    mesh.plain('outside'),
  ])
  const all = [one, two, three]
  await Promise.all(
    [...all, outside].map(async ({ agent, pod }) => {
      await agent.listen(8080, { greeting: pod.name, end: true })
      await agent.listen(8081, { greeting: pod.name })
    }),
  )
  const endpoints: TestEndpoint[] = all.map(({ ip }) => ({ ip }))
  const shop = { name: 'shop', ips: [IP, IP6], port: 80, target: 8080, endpoints }
  const held = { name: 'held', ips: ['198.19.0.11'], port: 80, target: 8081, endpoints }
  const { agent, sidecar } = client

  await t.test('l4: roundRobin is even over three endpoints, both families', async (t) => {
    const balancer = policy('shop', { loadBalancer: { algorithm: 'roundRobin' } })
    await mesh.publish('shop.yaml', [...service(shop), balancer])
    t.same(await agent.tally(30, IP, 80), { one: 10, two: 10, three: 10 })
    t.same(await agent.tally(30, IP6, 80), { one: 10, two: 10, three: 10 })
    const labels = { direction: 'outbound', service: 'shop.default:80', endpoint: `${two.ip}:8080` }
    t.equal(await sidecar.metric('underpass_tcp_connections_opened_total', labels), 20)
    const inbound = { direction: 'inbound', service: 'local' }
    t.equal(await one.sidecar.metric('underpass_tcp_connections_opened_total', inbound), 20)
  })

  await t.test('l4: endpoints may be IPv6, and both families at once', async (t) => {
    const mixed = [{ ip: one.ip6 }, { ip: two.ip6 }, { ip: three.ip }]
    const balancer = policy('shop', { loadBalancer: { algorithm: 'roundRobin' } })
    await mesh.publish('shop.yaml', [...service({ ...shop, endpoints: mixed }), balancer])
    t.same(await agent.tally(9, IP, 80), { one: 3, two: 3, three: 3 })
    t.same(await agent.tally(9, IP6, 80), { one: 3, two: 3, three: 3 })
    const before = await one.sidecar.metric('underpass_tcp_connections_opened_total')
    t.equal(await agent.ask(one.ip6, 8080), 'one')
    const after = await one.sidecar.metric('underpass_tcp_connections_opened_total')
    t.equal(after, before + 1, 'through both sidecars')
  })

  await t.test('l4: random follows the weights', async (t) => {
    const weighted = endpoints.map((each, index) => ({ ...each, weight: [6, 3, 1][index] ?? 1 }))
    const balancer = policy('shop', { loadBalancer: { algorithm: 'random' } })
    await mesh.publish('shop.yaml', [...service({ ...shop, endpoints: weighted }), balancer])
    const shares = await agent.tally(400, IP, 80)
    // Five standard deviations of the binomial distribution on either side.
    t.ok(Math.abs((shares['one'] ?? 0) - 240) < 50, JSON.stringify(shares))
    t.ok(Math.abs((shares['two'] ?? 0) - 120) < 46)
    t.ok(Math.abs((shares['three'] ?? 0) - 40) < 30)
  })

  await t.test('l4: leastRequest keeps open connections even', async (t) => {
    const balancer = policy('held', { loadBalancer: { algorithm: 'leastRequest' } })
    await mesh.publish('held.yaml', [...service(held), balancer])
    const sockets = Array.from({ length: 12 }, () => agent.dial('198.19.0.11', 80))
    await Promise.all(
      sockets.map(async (each) => {
        await each.until('a greeting', () => each.text !== '')
      }),
    )
    t.same(tally(sockets.map(({ text }) => text)), { one: 4, two: 4, three: 4 })
    const ofOne = sockets.filter(({ text }) => text === 'one')
    for (const socket of ofOne) {
      socket.do('reset')
      await socket.over()
    }
    const label = { endpoint: `${one.ip}:8081` }
    while ((await sidecar.metric('underpass_tcp_open_connections', label)) > 0);
    const next = await Promise.all(
      ofOne.map(async () => {
        const socket = await agent.connect('198.19.0.11', 80)
        await socket.until('a greeting', () => socket.text !== '')
        return socket.text
      }),
    )
    t.same(tally(next), { one: 4 }, 'new ones go to where there is room')
  })

  await t.test(
    'l4: a client stays with its endpoint, and only those of a lost one move',
    async (t) => {
      const clients = Array.from({ length: 24 }, (_, index) => `198.18.9.${index + 1}`)
      for (const ip of clients) {
        await client.root('ip', 'address', 'add', `${ip}/16`, 'dev', 'eth0')
      }
      const sticky = policy('shop', { loadBalancer: { sessionAffinity: { sourceIP: {} } } })
      const ask = async (): Promise<string[]> =>
        await Promise.all(clients.map((from) => agent.ask(IP, 80, from)))
      await mesh.publish('shop.yaml', [...service(shop), sticky])
      const first = await ask()
      t.same(Object.keys(tally(first)).sort(), ['one', 'three', 'two'], 'all endpoints have some')
      t.same(await ask(), first, 'stable')
      const left = { ...shop, endpoints: endpoints.filter(({ ip }) => ip !== two.ip) }
      await mesh.publish('shop.yaml', [...service(left), sticky])
      const second = await ask()
      const moved = clients.filter((_, index) => first[index] !== second[index])
      const ofTwo = clients.filter((_, index) => first[index] === 'two')
      t.same(moved, ofTwo)
      await mesh.publish('shop.yaml', [...service(shop), sticky])
      t.same(await ask(), first, 'and they return')
    },
  )

  await t.test('l4: an endpoint dialled by its own address', async (t) => {
    await mesh.publish('shop.yaml', service(shop))
    t.same(await agent.tally(12, two.ip, 8080), { two: 12 })
    const whole = policy('shop', {
      directToEndpoint: 'balance',
      loadBalancer: { algorithm: 'roundRobin' },
    })
    await mesh.publish('shop.yaml', [...service(shop), whole])
    t.same(await agent.tally(12, two.ip, 8080), { one: 4, two: 4, three: 4 })
  })

  await t.test('l4: a port that the Service does not have is refused at once', async (t) => {
    const start = performance.now()
    t.equal(await agent.ask(IP, 81), 'ECONNRESET')
    t.equal(await agent.ask(IP6, 81), 'ECONNRESET')
    t.ok(performance.now() - start < 1500, 'without waiting')
    const target = `${IP}:81`
    await sidecar.logs({ event: 'refused', error: 'service-unknown', target })
    const labels = { direction: 'outbound', reason: 'service-unknown' }
    t.equal(await sidecar.metric('underpass_tcp_connection_errors_total', labels), 2)
  })

  await t.test('l4: outside the mesh is allowed, or denied with a name', async (t) => {
    t.equal(await agent.ask(outside.ip, 8080), 'outside')
    t.equal(await agent.ask(outside.ip6, 8080), 'outside')
    const egress = { service: 'egress', direction: 'outbound' }
    t.equal(await sidecar.metric('underpass_tcp_connections_opened_total', egress), 2)
    const strict = await mesh.meshed('strict', { config: { egress: 'deny' } })
    t.equal(await strict.agent.ask(outside.ip, 8080), 'ECONNRESET')
    await strict.sidecar.logs({ error: 'egress-denied', target: `${outside.ip}:8080` })
    t.match(await strict.agent.ask(IP, 80), /one|two|three/, 'the mesh is reached all the same')
  })
})

function tally(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1
  return counts
}
