// gRPC over one connection of one client, to three servers, through sidecars with real rules: every call is balanced on
// its own, streams keep their order, and codes, metadata, deadlines and cancellation get through as they are meant.

import { createHash } from 'node:crypto'
import t from 'tap'
import { insideWorld } from '../../demo/pods/world.ts'
import { type Collected, type Ending, messageOf } from '../support/grpc-calls.ts'
import { GrpcClient } from '../support/grpc-client.ts'
import { GrpcServer } from '../support/grpc-server.ts'
import { policy, service, type TestService } from '../support/manifests.ts'
import { Mesh } from '../support/mesh.ts'
import { until } from '../support/until.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/grpc-balancing'

const CALLS = 'underpass_grpc_requests_total'
const OPEN = 'underpass_http2_open_connections'
const NAMES = ['one', 'three', 'two']
const DEADLINE_EXCEEDED = 4
const CANCELLED = 1
/** Three of them take more than one frame. */
const BIG = 'b'.repeat(10_000)

t.test('grpc: balancing', { skip }, async (t) => {
  const mesh = await Mesh.open(t)
  const [client, ...pods] = await Promise.all([
    mesh.meshed('client'),
    mesh.meshed('one'),
    mesh.meshed('two'),
    mesh.meshed('three'),
  ])
  const servers = await Promise.all(pods.map(async (pod) => await GrpcServer.start(mesh, pod)))
  const endpoints = pods.map(({ ip }) => ({ ip }))
  const about = (name: string, at: number): TestService => {
    return { name, ips: [`198.19.0.${at}`, `fd00:1::${at}`], port: 80, target: 8080, endpoints }
  }
  const turn = { loadBalancer: { algorithm: 'roundRobin' } }
  await mesh.publish('shop.yaml', [
    ...service(about('detected', 10)),
    policy('detected', turn),
    ...service({ ...about('declared', 11), appProtocol: 'grpc' }),
    policy('declared', turn),
    ...service(about('usual', 12)),
    ...service({ ...about('timed', 13), appProtocol: 'grpc' }),
    policy('timed', { ...turn, timeouts: { request: '200ms' } }),
    ...service(about('delayed', 14)),
    policy('delayed', { faults: { delay: { duration: '100ms' } } }),
  ])
  const [detected, declared, usual, timed, delayed, sixth] = await Promise.all(
    [...[10, 11, 12, 13, 14].map((at) => `198.19.0.${at}:80`), 'ipv6:[fd00:1::10]:80'].map(
      async (target) => await GrpcClient.start(client, target),
    ),
  )
  if (!detected || !declared || !usual || !timed || !delayed || !sixth) throw new Error('too few')
  const both = [
    ['detected', detected],
    ['declared', declared],
  ] as const
  const downstream = { direction: 'outbound', role: 'downstream' }

  await t.test('grpc: the calls of one connection are shared evenly', async (t) => {
    for (const [what, each] of [...both, ['over IPv6', sixth] as const]) {
      const before = await client.sidecar.metric(OPEN, downstream)
      const alone = await each.tally(30)
      t.same(alone, { one: 10, two: 10, three: 10 }, `${what}, one after the other`)
      const shares = await each.tally(300, 20)
      t.same(Object.keys(shares).sort(), NAMES, what)
      const isEven = Object.values(shares).every((share) => share >= 80 && share <= 120)
      t.ok(isEven, `${what}, 20 at once: ${JSON.stringify(shares)}`)
      t.equal((await client.sidecar.metric(OPEN, downstream)) - before, 1, 'on one connection')
    }
    for (const { sidecar } of pods) {
      const upstream = await sidecar.metric(OPEN, { direction: 'inbound', role: 'upstream' })
      t.equal(upstream, 1, 'and on one to each application')
      t.ok((await sidecar.metric(CALLS, { direction: 'inbound', grpc_status: 'OK' })) >= 290)
    }
  })

  await t.test('grpc: the usual algorithm leaves no server out', async (t) => {
    for (const atOnce of [1, 10]) {
      const shares = await usual.tally(60, atOnce)
      t.same(Object.keys(shares).sort(), NAMES)
      t.ok(Math.min(...Object.values(shares)) >= 10, JSON.stringify(shares))
    }
  })

  await t.test('grpc: streams of every kind, all messages in their order', async (t) => {
    const sumOf = (count: number, size: number): string => {
      const hash = createHash('sha256')
      for (let at = 0; at < count; at += 1) hash.update(messageOf(at, size))
      return hash.digest('hex')
    }
    for (const [what, each] of both) {
      for (const [count, size] of [
        [500, 64],
        [40, 100_000],
      ] as const) {
        const sha256 = sumOf(count, size)
        const whole = { code: 0, count, disordered: 0, sha256 }
        t.match(await each.stream('many', count, size), whole, `${what}: from the server`)
        t.match(await each.stream('chat', count, size), whole, `${what}: both ways`)
        const { code, message } = await each.stream('collect', count, size)
        t.equal(code, 0)
        t.same(JSON.parse(message) as Collected, { count, sha256 }, `${what}: from the client`)
      }
    }
  })

  await t.test('grpc: messages pass while both ends keep talking', async (t) => {
    for (const [what, each] of both) {
      t.ok(NAMES.includes(await each.open('talk')))
      for (let at = 0; at < 20; at += 1) {
        t.equal(await each.say('talk', `${what} ${at}`), `${what} ${at}`)
      }
      t.match(await each.end('talk'), { code: 0 })
    }
  })

  await t.test('grpc: codes, their words, metadata in front and behind', async (t) => {
    for (const [what, each] of both) {
      for (const code of [0, 1, 3, 5, 7, 8, 9, 10, 12, 13, 14, 16]) {
        const details = code === 0 ? 'OK' : `no luck: ${code} % ü\n`
        const trailers = { 'x-behind': `t${code}`, 'x-bytes-bin': '\u0000 ü' }
        const message: Ending = { code, details, trailers, echo: true }
        const got = await each.call('end', { message, metadata: { 'x-front': `h${code}` } })
        t.match(got, { code, details, headers: { 'x-front': `h${code}` } }, `${what} ${code}`)
        t.equal(got.trailers['x-behind'], `t${code}`)
        t.match(got.trailers['x-bytes-bin'], { type: 'Buffer', data: [0, 32, 195, 188] })
      }
      const metadata = { 'x-big-0': `${BIG}0`, 'x-big-1': `${BIG}1`, 'x-big-2': `${BIG}2` }
      const big = { code: 9, details: 'big', trailers: metadata, echo: true }
      const got = await each.call('end', { message: big, metadata })
      t.match(got, { code: 9, details: 'big' })
      for (const [key, value] of Object.entries(metadata)) {
        t.ok(got.headers[key] === value, `large metadata in front, ${key}`)
        t.ok(got.trailers[key] === value, 'and behind')
      }
    }
    const labels = { service: 'declared.default:80', grpc_status: 'FAILED_PRECONDITION' }
    t.equal(await client.sidecar.metric(CALLS, labels), 2)
  })

  /** What the server that has it says of a stalled call, once that holds. */
  const stalled = async (id: string, isSo: (cancelledAt: number) => boolean) =>
    await until(`the server's word on ${id}`, async () => {
      const states = await Promise.all(servers.map(async (server) => await server.state()))
      const found = states.flatMap(({ stalled }) => stalled[id] ?? [])[0]
      return found !== undefined && isSo(found.cancelledAt) && found
    })

  await t.test('grpc: a deadline holds on both sides', async (t) => {
    for (const [what, each] of both) {
      const id = `deadline-${what}`
      const start = Date.now()
      const metadata = { 'x-id': id }
      const { code, took } = await each.call('stall', { deadline: 200, metadata })
      t.equal(code, DEADLINE_EXCEEDED, what)
      t.ok(took >= 150 && took < 700, `after ${took} ms`)
      const { given, cancelledAt } = await stalled(id, (at) => at > 0)
      t.ok(given > 0 && given <= 200, `the server had ${given} ms`)
      t.ok(cancelledAt - start < 1200, `and knew after ${cancelledAt - start} ms`)
    }
  })

  await t.test('grpc: a hop takes its time off the deadline', async (t) => {
    const metadata = { 'x-id': 'shrunk' }
    const { code } = await delayed.call('stall', { deadline: 1000, metadata })
    t.equal(code, DEADLINE_EXCEEDED)
    const { given } = await stalled('shrunk', () => true)
    t.ok(given > 300 && given <= 900, `${given} ms of 1000 are left after a delay of 100`)
  })

  await t.test("grpc: a route's deadline is the server's, and ends the call", async (t) => {
    const { code, details, took } = await timed.call('stall', { metadata: { 'x-id': 'timed' } })
    t.equal(code, DEADLINE_EXCEEDED, details)
    t.ok(took >= 190 && took < 700, `after ${took} ms`)
    const { given, cancelledAt } = await stalled('timed', (at) => at > 0)
    t.ok(given > 0 && given <= 200, `the server had ${given} ms`)
    t.ok(cancelledAt > 0)
    const labels = { service: 'timed.default:80', grpc_status: 'DEADLINE_EXCEEDED' }
    t.equal(await client.sidecar.metric(CALLS, labels), 1)
  })

  await t.test('grpc: a client that cancels is heard by the server', async (t) => {
    for (const [what, each] of both) {
      const id = `cancelled-${what}`
      const going = each.call('stall', { name: id, metadata: { 'x-id': id } })
      await stalled(id, (at) => at === 0)
      const at = await each.cancel(id)
      t.equal((await going).code, CANCELLED)
      const { cancelledAt } = await stalled(id, (then) => then > 0)
      t.ok(cancelledAt - at < 1000, `${what}: after ${cancelledAt - at} ms`)
      await each.open(id)
      await each.cancel(id)
      t.match(await each.end(id), { code: CANCELLED })
    }
    await until('no call is left anywhere', async () => {
      const states = await Promise.all(servers.map(async (server) => await server.state()))
      return states.every(({ open }) => open === 0)
    })
    const cancelled = { grpc_status: 'CANCELLED' }
    let inbound = 0
    for (const { sidecar } of [client, ...pods]) {
      const none = async (): Promise<boolean> =>
        (await sidecar.metric('underpass_http2_open_streams')) === 0
      await until('no stream is left anywhere', none)
      inbound += await sidecar.metric(CALLS, { ...cancelled, direction: 'inbound' })
    }
    t.ok((await client.sidecar.metric(CALLS, cancelled)) >= 4)
    t.ok(inbound >= 4, `${inbound} are counted on the other side`)
  })

  await t.test('grpc: nothing of that was an error of the mesh', async (t) => {
    for (const { sidecar } of [client, ...pods]) {
      t.same(sidecar.find({ level: 'error' }), [])
      t.equal(await sidecar.metric('underpass_http_refused_total'), 0)
      t.equal(await sidecar.metric('underpass_http2_limits_exceeded_total'), 0)
    }
  })
})
