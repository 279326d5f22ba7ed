// Calls of gRPC on one connection while servers and sidecars are drained, killed, taken out and started again: none
// that may be sent again fails, none that may not is executed twice, and streams on a server that drains end in order.

import t, { type Test } from 'tap'
import { insideWorld } from '../../demo/pods/world.ts'
import { GrpcClient } from '../support/grpc-client.ts'
import { GrpcLoad } from '../support/grpc-load.ts'
import type { GrpcLoaded } from '../support/grpc-load-program.ts'
import { GrpcServer } from '../support/grpc-server.ts'
import { policy, service } from '../support/manifests.ts'
import { Mesh, type SidecarPod } from '../support/mesh.ts'
import { until } from '../support/until.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/grpc-failover'

const CALLS = 'underpass_grpc_requests_total'
const GOAWAYS = 'underpass_http2_goaways_total'
const AT_ONCE = 8
const TURN = { loadBalancer: { algorithm: 'roundRobin' } }
/** For calls that may be executed twice. */
const RETRIES = {
  attempts: 3,
  on: ['connect-failure', 'refused-stream', 'reset', 'unavailable'],
  methods: ['POST'],
}

interface Both {
  /** Calls that may be executed twice, by their policy. */
  readonly safe: GrpcLoaded
  /** Those of whom nothing is said. */
  readonly once: GrpcLoaded
}

t.test('grpc: failover', { skip }, async (t) => {
  const mesh = await Mesh.open(t)
  const [client, one, two, three] = await Promise.all([
    mesh.meshed('client'),
    mesh.meshed('one'),
    mesh.meshed('two'),
    mesh.meshed('three'),
  ])
  const pods: SidecarPod[] = [one, two, three]
  const servers = await Promise.all(pods.map(async (pod) => await GrpcServer.start(mesh, pod)))
  const announce = async (isReady: (pod: SidecarPod) => boolean): Promise<void> => {
    const endpoints = pods.map((pod) => ({ ip: pod.ip, ready: isReady(pod) }))
    const about = (name: string, at: number, ...behind: typeof endpoints) =>
      service({ name, ips: [`198.19.0.${at}`], port: 80, target: 8080, endpoints: behind })
    const singles = endpoints.flatMap((each, at) => about(`single-${at}`, 20 + at, each))
    await mesh.publish('shop.yaml', [
      ...about('safe', 10, ...endpoints),
      policy('safe', { ...TURN, retries: RETRIES }),
      ...about('once', 11, ...endpoints),
      policy('once', TURN),
      ...singles,
    ])
  }
  await announce(() => true)
  const ended = async (labels: Readonly<Record<string, string>>): Promise<number> =>
    await client.sidecar.metric(CALLS, labels)
  /** Waits until so many more calls of each kind were answered, by that pod if one is given. */
  const goesOn = async (more: number, pod?: SidecarPod): Promise<void> => {
    const endpoint: Record<string, string> = pod === undefined ? {} : { endpoint: `${pod.ip}:8080` }
    const kinds = ['safe.default:80', 'once.default:80'].map(async (service) => {
      const labels = { ...endpoint, service, grpc_status: 'OK' }
      const before = await ended(labels)
      await until(`${more} more answers`, async () => (await ended(labels)) >= before + more)
    })
    await Promise.all(kinds)
  }
  /** Loads that are under way before, while and after something happens. */
  const during = async (happens: () => Promise<void>): Promise<Both> => {
    const [safe, once] = await Promise.all([
      GrpcLoad.start(client, '198.19.0.10:80', AT_ONCE),
      GrpcLoad.start(client, '198.19.0.11:80', AT_ONCE),
    ])
    await goesOn(100)
    await happens()
    await goesOn(100)
    const [first, second] = await Promise.all([safe.stop(), once.stop()])
    return { safe: first, once: second }
  }
  const judge = (t: Test, { safe, once }: Both, mostFailed: number): void => {
    t.same(safe.failures.slice(0, 5), [], 'none of those that may be sent again failed')
    const some = JSON.stringify(once.failures.slice(0, 3))
    t.ok(once.failures.length <= mostFailed, `${once.failures.length} others failed: ${some}`)
    const counts = new Map<string, number>()
    for (const id of servers.flatMap((server) => server.executed)) {
      counts.set(id, (counts.get(id) ?? 0) + 1)
    }
    const answered = [...safe.answered, ...once.answered]
    t.same(
      answered.filter((id) => !counts.has(id)),
      [],
      'what was answered was executed',
    )
    const others = [...once.answered, ...once.failures.map(({ id }) => id)]
    t.same(
      others.filter((id) => (counts.get(id) ?? 0) > 1),
      [],
      'none of the others twice',
    )
    t.comment(`${answered.length} answered, ${once.failures.length} failed`, safe.served)
  }
  const restart = async (at: number): Promise<void> => {
    const pod = pods[at]
    if (pod === undefined) throw new Error(`no pod ${at}`)
    servers[at] = await GrpcServer.start(mesh, pod)
    await goesOn(20, pod)
  }

  await t.test('grpc: a server that drains finishes its streams', async (t) => {
    const talker = await GrpcClient.start(client, '198.19.0.20:80')
    t.equal(await talker.open('long'), 'one')
    const loaded = await during(async () => {
      await servers[0]?.drain()
      const labels = { direction: 'inbound', role: 'upstream', way: 'received' }
      await until(
        'its sidecar has heard it',
        async () => (await one.sidecar.metric(GOAWAYS, labels)) > 0,
      )
      t.equal(await talker.say('long', 'still there?'), 'still there?')
      await goesOn(100)
      t.equal(await talker.say('long', 'and now?'), 'and now?')
      t.match(await talker.end('long'), { code: 0 })
      t.equal((await servers[0]?.child.exited)?.code, 0, 'and ends with the last of them')
      await restart(0)
    })
    judge(t, loaded, 0)
    t.same(Object.keys(loaded.safe.served).sort(), ['one', 'three', 'two'])
  })

  await t.test('grpc: a server killed while its sidecar lives', async (t) => {
    const loaded = await during(async () => {
      await servers[1]?.kill()
      await goesOn(100)
      await restart(1)
    })
    // At most what was under way there.
    judge(t, loaded, AT_ONCE)
    t.same(Object.keys(loaded.safe.served).sort(), ['one', 'three', 'two'])
  })

  await t.test('grpc: a sidecar killed, and started again', async (t) => {
    const loaded = await during(async () => {
      three.sidecar.child.process.kill('SIGKILL')
      await three.sidecar.child.exited
      await goesOn(100)
      await mesh.sidecar(three.pod)
      await goesOn(20, three)
    })
    judge(t, loaded, AT_ONCE)
  })

  await t.test('grpc: a pod taken out of the manifests keeps what it has begun', async (t) => {
    const talker = await GrpcClient.start(client, '198.19.0.20:80')
    t.equal(await talker.open('long'), 'one')
    const loaded = await during(async () => {
      await announce((pod) => pod !== one)
      await goesOn(20)
      const before = await servers[0]?.state()
      await goesOn(100)
      t.same(await servers[0]?.state(), before, 'nothing new comes')
      t.equal(await talker.say('long', 'still there?'), 'still there?')
      t.match(await talker.end('long'), { code: 0 })
      await announce(() => true)
      await goesOn(20, one)
    })
    judge(t, loaded, 0)
  })

  await t.test('grpc: a sidecar told to stop says GOAWAY and loses no call', async (t) => {
    const talker = await GrpcClient.start(client, '198.19.0.21:80')
    t.equal(await talker.open('long'), 'two')
    const labels = { direction: 'outbound', role: 'upstream', way: 'received', error: 'NO_ERROR' }
    const before = await client.sidecar.metric(GOAWAYS, labels)
    const loaded = await during(async () => {
      two.sidecar.child.process.kill('SIGTERM')
      const heard = async (): Promise<boolean> =>
        (await client.sidecar.metric(GOAWAYS, labels)) > before
      await until('the GOAWAY', heard)
      await goesOn(100)
      t.equal(await talker.say('long', 'still there?'), 'still there?')
      t.match(await talker.end('long'), { code: 0 })
      t.equal((await two.sidecar.child.exited).code, 0)
      await mesh.sidecar(two.pod)
      await goesOn(20, two)
    })
    judge(t, loaded, 0)
  })

  await t.test('grpc: both sides have counted how the calls went', async (t) => {
    const safe = { service: 'safe.default:80', direction: 'outbound' }
    const all = await ended(safe)
    t.ok(all > 500)
    t.equal(await ended({ ...safe, grpc_status: 'OK' }), all, 'all that may be sent again are OK')
    t.ok((await one.sidecar.metric(CALLS, { direction: 'inbound', grpc_status: 'OK' })) > 200)
    const retried = await client.sidecar.metric('underpass_http_retries_total', safe)
    t.ok(retried > 0, `${retried} were sent again`)
    for (const { sidecar } of [client, one]) t.same(sidecar.find({ level: 'error' }), [])
  })
})
