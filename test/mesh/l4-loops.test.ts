// Connections that lead back: an application that calls itself by each of its names works, a connection to a
// proxy's own ports is refused by name, and rules that redirect the proxy to itself end quickly.

import { readdirSync } from 'node:fs'
import t from 'tap'
import { APP_UID } from '../../demo/pods/network.ts'
import { insideWorld } from '../../demo/pods/world.ts'
import { policy, service } from '../support/manifests.ts'
import { Mesh } from '../support/mesh.ts'
import { until } from '../support/until.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/l4-loops'

const IP = '198.19.0.10'
const IP6 = 'fd00:1::10'

t.test('l4: loops', { skip }, async (t) => {
  const mesh = await Mesh.open(t, { mode: 'l4' })
  const [shop, other, lost] = await Promise.all([
    mesh.meshed('shop'),
    mesh.meshed('other'),
    mesh.network.pod('lost'),
  ])
  const { agent, sidecar } = shop
  const ips = [IP, IP6]
  const endpoints = [{ ip: shop.ip }]
  const turn = policy('shop', { loadBalancer: { algorithm: 'roundRobin' } })
  await agent.listen(8080, { greeting: 'shop', end: true })
  await other.agent.listen(8080, { greeting: 'other', end: true })
  await mesh.publish('shop.yaml', service({ name: 'shop', ips, port: 80, target: 8080, endpoints }))

  await t.test('l4: an application reaches itself by every name it has', async (t) => {
    for (const ip of ['127.0.0.1', '127.0.1.1', '::1', shop.ip, shop.ip6]) {
      t.equal(await agent.ask(ip, 8080), 'shop', ip)
    }
    t.equal(await agent.ask(IP, 80), 'shop', 'its own Service address')
    t.equal(await agent.ask(IP6, 80), 'shop', 'and the IPv6 one')
    const both = [...endpoints, { ip: other.ip }]
    const resources = service({ name: 'shop', ips, port: 80, target: 8080, endpoints: both })
    await mesh.publish('shop.yaml', [...resources, turn])
    t.same(await agent.tally(10, IP, 80), { shop: 5, other: 5 }, 'and shares it with others')
    t.equal(sidecar.find({ error: 'proxy-loop' }).length, 0)
  })

  await t.test("l4: another pod's proxy ports are refused", async (t) => {
    const since = other.sidecar.lines.length
    for (const port of [15001, 15006]) {
      for (const ip of [other.ip, other.ip6]) {
        const shown = ip.includes(':') ? `[${ip}]` : ip
        t.match(await agent.ask(ip, port), /ECONNRE/, `${shown}:${port}`)
        await other.sidecar.logs({ error: 'proxy-loop', target: `${shown}:${port}` }, since)
      }
    }
    t.match(await agent.ask(other.ip, 15000), /ECONNRE/, 'admin is for loopback')
  })

  await t.test("l4: the pod's own proxy ports are refused", async (t) => {
    for (const port of [15001, 15006]) {
      for (const ip of [shop.ip, shop.ip6, '127.0.0.1', '::1']) {
        const shown = ip.includes(':') ? `[${ip}]` : ip
        t.match(await agent.ask(ip, port), /ECONNRE/, `${shown}:${port}`)
      }
    }
    t.ok(sidecar.find({ error: 'proxy-loop' }).length >= 8, 'each with a line of the log')
    const { status } = await sidecar.admin('/ready')
    t.equal(status, 200)
    await until('nothing stays open', async () => {
      return (await sidecar.metric('underpass_sessions')) === 0
    })
  })

  await t.test('l4: a Service whose endpoint is the proxy itself is refused', async (t) => {
    const self = { name: 'self', ips: ['198.19.0.12'], port: 80, target: 15001, endpoints }
    await mesh.publish('self.yaml', service(self))
    t.equal(await agent.ask('198.19.0.12', 80), 'ECONNRESET')
    await sidecar.logs({ event: 'closed', error: 'proxy-loop', service: 'self.default:80' })
  })

  await t.test('l4: a proxy under the wrong uid meets itself, and soon says so', async (t) => {
    const strange = await mesh.sidecar(lost, { uid: APP_UID })
    const descriptors = readdirSync(`/proc/${strange.child.pid}/fd`).length
    const { Agent } = await import('../support/agent.ts')
    const hand = new Agent(lost)
    const start = performance.now()
    t.match(await hand.ask(other.ip, 8080), /ECONNRE/)
    t.match(await hand.ask(other.ip6, 8080), /ECONNRE/)
    t.match(await hand.ask(IP, 80), /ECONNRE/)
    t.ok(performance.now() - start < 3000, 'without waiting')
    await strange.logs({ event: 'refused', error: 'proxy-loop' })
    t.ok(strange.lines.length < 60, `a few lines: ${strange.lines.length}`)
    await until('nothing stays open', async () => {
      return (await strange.metric('underpass_sessions')) === 0
    })
    const now = readdirSync(`/proc/${strange.child.pid}/fd`).length
    t.ok(now <= descriptors + 2, `descriptors: ${descriptors}, then ${now}`)
    const inside = await mesh.meshed('late')
    t.equal((await inside.agent.ask(IP, 80)) !== '', true, 'nobody else is hurt')
  })
})
