// What policies do to single requests in real pods: the time of a request told from hop to hop and inherited by its
// trace, faults on purpose, and copies for another Service.

import t from 'tap'
import { insideWorld } from '../../demo/pods/world.ts'
import { bodyOf, fieldOf, RemoteClient, statusOf } from '../support/http-remote.ts'
import { policy, service } from '../support/manifests.ts'
import { type Fields, Mesh } from '../support/mesh.ts'
import { ServiceApp } from '../support/service-app.ts'
import type { Said } from '../support/service-program.ts'
import { until } from '../support/until.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/resilience-policy'

const FRONT = '198.19.0.10'
const BACK = '198.19.0.11'
/** The same as the first, but its application hands on nothing. */
const MUTE = '198.19.0.13'
const SHADOW = '198.19.0.12'
const TRACE = 'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n'
const TOLD = 'x-envoy-expected-rq-timeout-ms'
/** What the first application works at a request, in milliseconds. */
const WORK = 100

t.test('resilience: policies', { skip }, async (t) => {
  const mesh = await Mesh.open(t)
  const [client, front, back, shadow] = await Promise.all([
    mesh.meshed('client'),
    mesh.meshed('front'),
    mesh.meshed('back'),
    mesh.meshed('shadow'),
  ])
  const next = `http://${BACK}/`
  // It asks the next one even when nobody waits any more: whether that one is woken is for the mesh to say.
  const usual = { serviceMs: WORK, next, aborts: false } as const
  await ServiceApp.start(mesh, front, { ...usual, passes: 'trace' })
  await ServiceApp.start(mesh, front, { ...usual, passes: 'nothing', port: 8081 })
  const [behind, aside] = await Promise.all([
    ServiceApp.start(mesh, back, { serviceMs: 0 }),
    ServiceApp.start(mesh, shadow, { serviceMs: 0 }),
  ])
  const parts = [
    { name: 'front', ips: [FRONT], port: 80, target: 8080, endpoints: [{ ip: front.ip }] },
    { name: 'mute', ips: [MUTE], port: 80, target: 8081, endpoints: [{ ip: front.ip }] },
    { name: 'back', ips: [BACK], port: 80, target: 8080, endpoints: [{ ip: back.ip }] },
    { name: 'shadow', ips: [SHADOW], port: 80, target: 8080, endpoints: [{ ip: shadow.ip }] },
  ]
  const policies = async (...specs: readonly Fields[]): Promise<void> => {
    const before = client.sidecar.lines.length
    await mesh.publish('parts.yaml', [...parts.flatMap(service), ...specs])
    const refused = client.sidecar.find({ event: 'discovery-refused' }, before)
    if (refused.length > 0) throw new Error(JSON.stringify(refused))
  }
  const ask = async (host: string, fields = ''): Promise<string> =>
    await (await RemoteClient.open(client.agent, host, 80)).get('/', fields)
  const said = async (host: string, fields: string): Promise<Said> =>
    JSON.parse(bodyOf(await ask(host, fields))) as Said

  await t.test('resilience: each application is told what is left', async (t) => {
    await policies(policy('front', { timeouts: { request: '2s' } }))
    const { told, next } = await said(FRONT, TRACE)
    t.comment(`2000 ms by policy: ${told} ms at the first, ${next?.told} ms at the second`)
    t.ok(Number(told) <= 2000 && Number(told) > 1500, `${told}`)
    const spent = Number(told) - Number(next?.told)
    t.ok(spent >= WORK - 5 && spent < 1000, `${spent} ms were spent in between`)
    const less = await said(FRONT, `${TRACE.replace('0af', '1af')}${TOLD}: 900\r\n`)
    t.comment(`900 ms by header: ${less.told} ms at the first, ${less.next?.told} ms at the second`)
    t.ok(Number(less.told) <= 900 && Number(less.told) > 400, `${less.told}`)
    t.ok(Number(less.next?.told) <= Number(less.told) - WORK + 5, `${less.next?.told}`)
  })

  await t.test('resilience: without a trace nothing is inherited', async (t) => {
    const { told, next } = await said(MUTE, `${TRACE.replace('0af', '2af')}${TOLD}: 900\r\n`)
    t.ok(Number(told) <= 900, `${told}`)
    t.equal(next?.told, undefined)
  })

  await t.test('resilience: what has no time left wakes nobody', async (t) => {
    const delay = { duration: '300ms', percent: 100 }
    await policies(policy('back', { faults: { delay } }))
    const before = await behind.stats()
    const from = performance.now()
    const answer = await ask(BACK, `${TOLD}: 100\r\n`)
    const waited = performance.now() - from
    t.equal(statusOf(answer), 504)
    t.match(fieldOf(answer, 'Proxy-Status'), /http_response_timeout.*deadline-exceeded/)
    t.ok(waited >= 95 && waited < 295, `${waited} ms`)
    await policies()
    t.equal(statusOf(await ask(BACK)), 200)
    t.equal((await behind.stats()).arrived, before.arrived + 1, 'only the second came')
  })

  await t.test('resilience: nor does what an application asks after its time', async (t) => {
    const before = await behind.stats()
    const labels = { direction: 'outbound', service: 'back.default:80' }
    const asked = async (): Promise<number> =>
      await front.sidecar.metric('underpass_http_requests_total', labels)
    const earlier = await asked()
    const from = performance.now()
    const answer = await ask(FRONT, `${TRACE.replace('0af', '3af')}${TOLD}: 50\r\n`)
    const waited = performance.now() - from
    t.equal(statusOf(answer), 504)
    t.match(fieldOf(answer, 'Proxy-Status'), /http_response_timeout.*deadline-exceeded/)
    t.ok(waited < WORK + 400, `${waited} ms`)
    // The first application goes on all the same, and its own sidecar refuses what it asks.
    await until('its question', async () => (await asked()) === earlier + 1)
    t.equal((await behind.stats()).arrived, before.arrived, 'the second was not asked')
  })

  await t.test('resilience: faults for those that ask for them', async (t) => {
    const asks = (value: string): Fields[] => [{ headers: [{ name: 'x-fault', value }] }]
    const routes = [
      { name: 'failing', matches: asks('abort'), faults: { abort: { status: 418, percent: 100 } } },
      {
        name: 'slow',
        matches: asks('delay'),
        faults: { delay: { duration: '300ms', percent: 100 } },
      },
    ]
    await policies(policy('back', { routes }))
    const before = await behind.stats()
    const failed = await ask(BACK, 'x-fault: abort\r\n')
    t.equal(statusOf(failed), 418)
    t.match(fieldOf(failed, 'Proxy-Status'), /proxy_internal_response.*fault-injected/)
    t.equal((await behind.stats()).arrived, before.arrived, 'the application knows nothing of it')
    const from = performance.now()
    t.equal(statusOf(await ask(BACK, 'x-fault: delay\r\n')), 200)
    t.ok(performance.now() - from >= 295)
    t.equal(statusOf(await ask(BACK)), 200, 'and the others are spared')
    const failing = { service: 'back.default:80', route: 'failing', status: '418' }
    t.equal(await client.sidecar.metric('underpass_http_requests_total', failing), 1)
  })

  await t.test('resilience: a mirror gets a copy, and nobody gets its answers', async (t) => {
    await policies(policy('back', { mirror: { service: 'shadow', port: 80, percent: 100 } }))
    aside.tell({ mode: 'fail', status: 500 })
    const before = { behind: await behind.stats(), aside: await aside.stats() }
    const requester = await RemoteClient.open(client.agent, BACK, 80)
    for (let i = 0; i < 20; i += 1) t.equal(statusOf(await requester.get(`/${i}`)), 200)
    t.equal((await behind.stats()).arrived - before.behind.arrived, 20)
    await until('twenty copies', async () => {
      return (await aside.stats()).arrived - before.aside.arrived === 20
    })
  })
})
