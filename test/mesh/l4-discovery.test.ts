// Manifests that change under a running mesh: edits hold for new connections and leave open ones alone, what is not
// ready gets nothing, what is not right is refused with its place while the last good state stays in force.

import { appendFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { insideWorld } from '../../demo/pods/world.ts'
import { policy, service } from '../support/manifests.ts'
import { type Fields, Mesh } from '../support/mesh.ts'
import { until } from '../support/until.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/l4-discovery'

const IP = '198.19.0.10'

t.test('l4: discovery', { skip }, async (t) => {
  const mesh = await Mesh.open(t, { mode: 'l4' })
  // An address that is no Service's is outside the mesh, where nobody answers for it.
  const config = { outbound: { timeouts: { connect: '500ms' } } }
  const [client, one, two] = await Promise.all([
    mesh.meshed('client', { config }),
    mesh.plain('one'),
    mesh.plain('two'),
  ])
  for (const { agent, pod } of [one, two]) {
    await agent.listen(8080, { greeting: pod.name, end: true })
    await agent.listen(8081, { greeting: pod.name })
  }
  const { agent, sidecar } = client
  const turn = (name: string): Fields => policy(name, { loadBalancer: { algorithm: 'roundRobin' } })
  const shop = (...ips: string[]): Fields[] => {
    const endpoints = ips.map((ip) => ({ ip }))
    return [
      ...service({ name: 'shop', ips: [IP], port: 80, target: 8080, endpoints }),
      turn('shop'),
    ]
  }
  const refusals = (): Fields[] => sidecar.find({ event: 'discovery-refused' })
  const refusal = (): string => JSON.stringify(refusals().at(-1)?.['problems'])

  await t.test('l4: a new manifest takes effect without a restart', async (t) => {
    t.match(await agent.ask(IP, 80), 'ECONNRESET', 'nobody has this address yet')
    await mesh.publish('shop.yaml', shop(one.ip))
    t.equal(await agent.ask(IP, 80), 'one')
  })

  await t.test('l4: an edit holds for new connections, an open one is undisturbed', async (t) => {
    const held = { name: 'held', ips: ['198.19.0.11'], port: 80, target: 8081 }
    await mesh.publish('held.yaml', service({ ...held, endpoints: [{ ip: one.ip }] }))
    const open = await agent.connect('198.19.0.11', 80)
    await open.reads('one')
    await mesh.publish('held.yaml', service({ ...held, endpoints: [{ ip: two.ip }] }))
    const next = await agent.connect('198.19.0.11', 80)
    await next.reads('two')
    await mesh.taken(() => {
      rmSync(mesh.path('held.yaml'))
    })
    open.write('still there?')
    next.do('end')
    open.do('end')
    await until('both ends', () => open.text === 'one' && next.text === 'two')
    t.notOk(open.closed, 'though its Service is gone')
    t.equal(
      (await agent.ask('198.19.0.11', 80)) === 'two',
      false,
      'the Service is gone for new ones',
    )
    open.do('reset')
    next.do('reset')
  })

  await t.test('l4: an endpoint that is not ready gets nothing', async (t) => {
    const endpoints = [{ ip: one.ip, ready: false }, { ip: two.ip }]
    const some = service({ name: 'shop', ips: [IP], port: 80, target: 8080, endpoints })
    await mesh.publish('shop.yaml', [...some, turn('shop')])
    t.same(await agent.tally(8, IP, 80), { two: 8 })
    await mesh.publish('shop.yaml', shop(one.ip, two.ip))
    t.same(await agent.tally(8, IP, 80), { one: 4, two: 4 })
    const { body } = await sidecar.admin('/endpoints')
    t.match(JSON.parse(body), [{ service: 'shop.default:80', endpoints: [{}, {}] }])
  })

  await t.test(
    'l4: a broken manifest is refused with its place, the last good state holds',
    async (t) => {
      const broken = shop(one.ip).map((each, index) =>
        index === 1 ? { ...each, addressType: 'IPv5' } : each,
      )
      await mesh.publish('shop.yaml', broken)
      t.match(refusal(), /shop\.yaml#2 addressType/, 'file, document and field')
      t.match(refusals().at(-1), { level: 'error', error: 'manifest-invalid' })
      t.same(await agent.tally(4, IP, 80), { one: 2, two: 2 })
      await mesh.publish('shop.yaml', 'kind: [Service\n')
      t.match(refusal(), /shop\.yaml/)
      t.same(await agent.tally(4, IP, 80), { one: 2, two: 2 })
      const twice = [
        ...shop(one.ip),
        ...service({ name: 'other', ips: [IP], port: 80, endpoints: [] }),
      ]
      await mesh.publish('shop.yaml', twice)
      t.match(refusal(), /198\.19\.0\.10/, 'two Services with one address')
      t.same(await agent.tally(4, IP, 80), { one: 2, two: 2 })
      t.equal((await sidecar.admin('/ready')).status, 200)
      await mesh.publish('shop.yaml', shop(two.ip))
      t.same(await agent.tally(4, IP, 80), { two: 4 }, 'and the next good one is taken')
    },
  )

  await t.test('l4: a file written in pieces is taken when it is whole', async (t) => {
    const before = refusals().length
    const text = shop(one.ip)
      .map((each) => JSON.stringify(each))
      .join('\n---\n')
    await mesh.taken(() => {
      writeFileSync(mesh.path('shop.yaml'), '')
      for (let at = 0; at < text.length; at += 100) {
        appendFileSync(mesh.path('shop.yaml'), text.slice(at, at + 100))
      }
    })
    t.same(await agent.tally(4, IP, 80), { one: 4 })
    t.equal(refusals().length, before, 'no half of it was seen')
  })

  await t.test('l4: a file that goes takes its Services with it', async (t) => {
    await mesh.publish(
      'more.yaml',
      service({
        name: 'more',
        ips: ['198.19.0.12'],
        port: 80,
        target: 8080,
        endpoints: [{ ip: two.ip }],
      }),
    )
    t.equal(await agent.ask('198.19.0.12', 80), 'two')
    await mesh.taken(() => {
      rmSync(mesh.path('more.yaml'))
    })
    t.match(await agent.ask('198.19.0.12', 80), 'ECONNRESET')
    t.equal(await agent.ask(IP, 80), 'one', 'and no other')
  })

  await t.test(
    'l4: a folder that vanishes is refused, and one that returns is taken',
    async (t) => {
      const folder = mesh.path('')
      const aside = `${folder.replace(/\/$/, '')}-aside`
      await mesh.taken(() => {
        renameSync(folder, aside)
      })
      t.match(refusal(), /manifests/)
      t.equal(await agent.ask(IP, 80), 'one', 'the last good state holds')
      renameSync(aside, folder)
      await mesh.publish('shop.yaml', shop(two.ip))
      await until('the returned folder', async () => (await agent.ask(IP, 80)) === 'two')
    },
  )
})
