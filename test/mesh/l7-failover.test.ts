// Requests while servers come and go under load: applications killed, whole pods killed, stopped in order, taken out
// of the manifests. What can safely be sent again never fails, and nothing is executed twice.

import t, { type Test } from 'tap'
import { insideWorld } from '../../demo/pods/world.ts'
import { Load } from '../support/load.ts'
import type { Loaded } from '../support/load-program.ts'
import { policy, service } from '../support/manifests.ts'
import { Mesh, type SidecarPod } from '../support/mesh.ts'
import { until } from '../support/until.ts'
import { WebServer } from '../support/web-server.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/l7-failover'

const IP = '198.19.0.10'
const REQUESTS = 'underpass_http_requests_total'
const CONNECTIONS = 8

t.test('l7: failover', { skip }, async (t) => {
  const mesh = await Mesh.open(t)
  const [client, one, two, three] = await Promise.all([
    mesh.meshed('client'),
    mesh.meshed('one'),
    mesh.meshed('two'),
    mesh.meshed('three'),
  ])
  const pods: SidecarPod[] = [one, two, three]
  const servers = await Promise.all(pods.map(async (pod) => await WebServer.start(mesh, pod)))
  const announce = async (isReady: (pod: SidecarPod) => boolean): Promise<void> => {
    const endpoints = pods.map((pod) => ({ ip: pod.ip, ready: isReady(pod) }))
    const shop = service({ name: 'shop', ips: [IP], port: 80, target: 8080, endpoints })
    const turn = policy('shop', { loadBalancer: { algorithm: 'roundRobin' } })
    await mesh.publish('shop.yaml', [...shop, turn])
  }
  await announce(() => true)
  const answered = async (pod?: SidecarPod): Promise<number> => {
    const endpoint: Record<string, string> = pod === undefined ? {} : { endpoint: `${pod.ip}:8080` }
    return await client.sidecar.metric(REQUESTS, { ...endpoint, status: '200' })
  }
  /** Waits until so many more requests were answered, by that pod if one is given. */
  const goesOn = async (more: number, pod?: SidecarPod): Promise<void> => {
    const before = await answered(pod)
    await until(`${more} more answers`, async () => (await answered(pod)) >= before + more)
  }
  /** A load that is under way before, while and after something happens. */
  const during = async (happens: () => Promise<void>): Promise<Loaded> => {
    const load = await Load.start(client, `http://${IP}/?ms=3`, CONNECTIONS)
    await goesOn(100)
    await happens()
    await goesOn(300)
    return await load.stop()
  }
  /** Nobody was told that a POST succeeded that was not executed, and none was executed twice. */
  const judge = (t: Test, loaded: Loaded, mostFailed: number): void => {
    const gets = loaded.failures.filter(({ method }) => method === 'GET')
    t.same(gets.slice(0, 5), [], 'no GET failed')
    const failed = loaded.failures.filter(({ method }) => method === 'POST')
    const some = JSON.stringify(failed.slice(0, 5))
    t.ok(failed.length <= mostFailed, `${failed.length} POSTs failed: ${some}`)
    const executed = servers.flatMap((server) => server.executed)
    const counts = new Map<string, number>()
    for (const id of executed) counts.set(id, (counts.get(id) ?? 0) + 1)
    const lost = loaded.posted.filter((id) => !counts.has(id))
    t.same(lost, [], 'what was answered was executed')
    const twice = [...counts].filter(([, times]) => times > 1)
    t.same(twice.slice(0, 5), [], 'nothing was executed twice')
    t.comment(`${loaded.posted.length} POSTs, ${failed.length} failed`, loaded.served)
  }

  await t.test('l7: an application killed while its sidecar lives', async (t) => {
    const loaded = await during(async () => await servers[0]?.kill())
    // At most what was under way there.
    judge(t, loaded, CONNECTIONS)
  })

  await t.test('l7: it comes back when it is started again', async (t) => {
    const loaded = await during(async () => {
      servers[0] = await WebServer.start(mesh, one)
      await goesOn(50, one)
    })
    judge(t, loaded, 0)
    t.same(Object.keys(loaded.served).sort(), ['one', 'three', 'two'])
  })

  await t.test('l7: a whole pod killed', async (t) => {
    const loaded = await during(async () => {
      two.sidecar.child.process.kill('SIGKILL')
      await servers[1]?.kill()
    })
    judge(t, loaded, CONNECTIONS)
    const again = await during(async () => {
      servers[1] = await WebServer.start(mesh, two)
      await mesh.sidecar(two.pod)
      await goesOn(50, two)
    })
    judge(t, again, 0)
    t.same(Object.keys(again.served).sort(), ['one', 'three', 'two'])
  })

  await t.test('l7: an application that stops in order', async (t) => {
    const loaded = await during(async () => await servers[2]?.stop())
    judge(t, loaded, CONNECTIONS)
    servers[2] = await WebServer.start(mesh, three)
    await during(async () => {
      await goesOn(50, three)
    })
  })

  await t.test('l7: a pod that is not ready any more finishes what it has begun', async (t) => {
    const loaded = await during(async () => {
      await announce((pod) => pod !== one)
      // What was under way is over after its 3 ms, and nothing follows.
      await goesOn(20)
      const before = await servers[0]?.state()
      await goesOn(100)
      t.same(await servers[0]?.state(), before, 'it is left alone')
      await announce(() => true)
      await goesOn(50, one)
    })
    judge(t, loaded, 0)
  })

  await t.test('l7: a pod that ends as Kubernetes ends it', async (t) => {
    const loaded = await during(async () => {
      await announce((pod) => pod !== three)
      three.sidecar.child.process.kill('SIGTERM')
      await servers[2]?.stop()
      await three.sidecar.child.exited
    })
    judge(t, loaded, 0)
    t.equal(three.sidecar.child.exit?.code, 0)
  })
})
