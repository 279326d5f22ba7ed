// Calls of gRPC through the whole proxy, to endpoints that end them with codes: what is sent again, who is ejected, what
// the client is told and what is counted.

import type { OutgoingHttpHeaders } from 'node:http2'
import t, { type Test } from 'tap'
import { DEFAULT_OUTLIER, DEFAULT_RULES, type RouteRules } from '../../../src/api/resources.ts'
import { grpcName } from '../../../src/lib/grpc-status.ts'
import { OutlierDetection } from '../../../src/proxy/resilience/outlier-detection.ts'
import { makeRoute } from '../../../src/proxy/route/make-route.ts'
import { proxyStatus } from '../../../src/proxy/stack/proxy-status.ts'
import type { H2Asked, H2Client } from '../../support/h2-client.ts'
import { type H2Answer, H2Server } from '../../support/h2-server.ts'
import { until } from '../../support/until.ts'
import { type Kind, L7, onBoth } from './fixture.ts'
import { h2Client } from './h2-fixture.ts'

const TYPE = { 'content-type': 'application/grpc' }
const CALL = { ':method': 'POST', ':path': '/shop.Cart/Add', ...TYPE, te: 'trailers' }
const MESSAGE = Buffer.from([0, 0, 0, 0, 1, 65])

/** Ends every call with its head. */
const trailersOnly =
  (code: number, more: OutgoingHttpHeaders = {}): H2Answer =>
  ({ stream }) => {
    stream.respond({ ':status': 200, ...TYPE, 'grpc-status': code, ...more }, { endStream: true })
  }

/** Answers with a message, and the code behind it; without one, with no trailers at all. */
const answering =
  (code?: number): H2Answer =>
  (asked) => {
    const { stream } = asked
    stream.on('end', () => {
      stream.respond({ ':status': 200, ...TYPE }, { waitForTrailers: code !== undefined })
      stream.on('wantTrailers', () => {
        stream.sendTrailers({ 'grpc-status': code })
      })
      stream.end(MESSAGE)
    })
  }

interface Open {
  readonly f: L7
  readonly client: H2Client
  readonly servers: readonly H2Server[]
}

async function open(
  t: Test,
  kind: Kind,
  retries: Partial<RouteRules['retries']>,
  ...answers: readonly H2Answer[]
): Promise<Open> {
  const servers = await Promise.all(answers.map(async (answer) => H2Server.listen(answer)))
  t.teardown(async () => {
    await Promise.all(servers.map(async (server) => server.close()))
  })
  const f = await L7.start(
    t,
    servers.map(({ port }) => port),
    { kind },
  )
  f.destination.wire = 'http2'
  const rules = { ...DEFAULT_RULES, retries: { ...DEFAULT_RULES.retries, ...retries } }
  f.destination.route = makeRoute('default', rules)
  return { f, client: await h2Client(t, f), servers }
}

/** A call, while time goes on. */
async function call({ f, client }: Open, headers: OutgoingHttpHeaders = {}): Promise<H2Asked> {
  const asked = client.ask({ ...CALL, ...headers }, MESSAGE)
  await until('the call is over', () => {
    if (!asked.closed) f.clock.advance(5)
    return asked.closed
  })
  return asked
}

/** Calls by what they ended with, over all endpoints. */
function counted({ f }: Open): Record<string, number> {
  const all: Record<string, number> = {}
  for (const line of f.counters.all()) {
    for (const [code, count] of line.requests?.calls() ?? []) {
      all[grpcName(code)] = (all[grpcName(code)] ?? 0) + count
    }
  }
  return all
}

const codeOf = ({ headers, trailers }: H2Asked): unknown =>
  headers['grpc-status'] ?? trailers?.['grpc-status']

onBoth(t, 'grpc: a code in the head sends a call to another endpoint', async (t, kind) => {
  const retries = { on: ['unavailable'] } as const
  const all = await open(t, kind, retries, trailersOnly(14), answering(0))
  for (let turn = 0; turn < 4; turn += 1) {
    const asked = await call(all)
    t.same([asked.status, codeOf(asked), asked.text], [200, '0', MESSAGE.toString('latin1')])
  }
  const [bad, good] = all.servers
  t.ok((bad?.asked.length ?? 0) > 0)
  t.equal(good?.asked.length, 4)
  t.equal(good?.asked[0]?.body, MESSAGE.toString('latin1'))
  t.same(counted(all), { OK: 4 })
  t.same([...all.f.destination.resilience.retries.keys()], ['unavailable'])
})

onBoth(t, 'grpc: where no policy says so the client hears of it', async (t, kind) => {
  const all = await open(t, kind, {}, trailersOnly(14, { 'grpc-message': 'full%21' }))
  const asked = await call(all)
  t.same([asked.status, codeOf(asked), asked.headers['grpc-message']], [200, '14', 'full%21'])
  t.equal(all.servers[0]?.asked.length, 1)
  t.same(counted(all), { UNAVAILABLE: 1 })
})

onBoth(t, 'grpc: a server that does not want it again is heard', async (t, kind) => {
  const answer = trailersOnly(14, { 'grpc-retry-pushback-ms': '-1' })
  const all = await open(t, kind, { on: ['unavailable'] }, answer, answer)
  t.equal(codeOf(await call(all)), '14')
  t.same([...all.f.destination.resilience.denied], [['retry-after', 1]])
})

onBoth(t, 'grpc: endpoints are ejected for their codes, wherever they stand', async (t, kind) => {
  for (const [answer, code] of [
    [answering(14), 'UNAVAILABLE'],
    [trailersOnly(13), 'INTERNAL'],
    [answering(), 'UNKNOWN'],
  ] as const) {
    const all = await open(t, kind, { attempts: 0 }, answer, answering(0))
    const { destination, clock } = all.f
    const world = { clock, random: () => 0, log: all.f.reception.log }
    const health = new OutlierDetection(destination, DEFAULT_OUTLIER, world)
    health.watch(destination.picker.endpoints)
    destination.health = health
    for (let turn = 0; turn < 10; turn += 1) await call(all)
    t.equal(health.ejected, 1)
    t.same(counted(all), { [code]: 5, OK: 5 })
    for (let turn = 0; turn < 3; turn += 1) t.equal(codeOf(await call(all)), '0')
  }
})

onBoth(t, 'grpc: what the endpoint’s own sidecar says is understood', async (t, kind) => {
  // The port is known only when it listens.
  let key = ''
  const told: H2Answer = (asked) => {
    const status = { 'proxy-status': proxyStatus('endpoint-refused', '', key) }
    trailersOnly(14, status)(asked)
  }
  const all = await open(t, kind, { attempts: 0 }, told, answering(0))
  key = `127.0.0.1:${all.servers[0]?.port ?? 0}`
  t.equal(codeOf(await call(all)), '0', 'another one was asked, whatever the policy says')
  t.same(
    all.servers.map(({ asked }) => asked.length),
    [1, 1],
  )
})

onBoth(t, 'grpc: a deadline that is over', async (t, kind) => {
  const all = await open(t, kind, {}, () => undefined)
  const asked = await call(all, { 'grpc-timeout': '50m' })
  t.same([asked.status, codeOf(asked)], [200, '4'])
  t.match(asked.headers['grpc-message'], /^deadline-exceeded: .*\(grpc-timeout\)$/)
  const [sent] = all.servers[0]?.asked ?? []
  t.match(sent?.headers['grpc-timeout'], /^[1-5]?\dm$/)
  t.same(counted(all), { DEADLINE_EXCEEDED: 1 })
})

onBoth(t, 'grpc: an answer in HTTP is counted as what gRPC makes of it', async (t, kind) => {
  const all = await open(t, kind, { attempts: 0 }, ({ stream }) => {
    stream.respond({ ':status': 404, 'content-type': 'text/plain' })
    stream.end('no')
  })
  t.equal((await call(all)).status, 404)
  t.same(counted(all), { UNIMPLEMENTED: 1 })
})
