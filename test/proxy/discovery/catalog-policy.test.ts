// What policies make of destinations, and what an update leaves alone: pickers without news, pools of endpoints.

import t from 'tap'
import {
  DEFAULT_OUTLIER,
  type Resources,
  type SessionAffinity,
} from '../../../src/api/resources.ts'
import { HeaderAffinity, SourceAffinity } from '../../../src/proxy/balance/affinity.ts'
import { CookieAffinity } from '../../../src/proxy/balance/cookie-affinity.ts'
import { Maglev } from '../../../src/proxy/balance/maglev.ts'
import type { Affinity, Picker } from '../../../src/proxy/stack/destination.ts'
import type { Pool } from '../../../src/proxy/stack/endpoint.ts'
import { exchangeOf } from '../balance/fixture.ts'
import { policy, service, slice, World } from './fixture.ts'

t.test(
  'catalog: a policy says how requests are carried, for its Service and each endpoint',
  async (t) => {
    const world = new World()
    const state = { services: [service()], endpointSlices: [slice(['10.1.0.1'])] }
    world.update(state)
    const found = world.named('shop.default')
    const direct = world.catalog.table.find('10.1.0.1', 8080)
    const bare = {
      ...{ mode: undefined, protocol: '', wire: undefined },
      ...{ maxPendingRequests: 1024, affinity: undefined },
    }
    for (const each of [found, direct]) t.match(each, bare)
    const ports = [{ name: 'web', port: 80, appProtocol: 'grpc' }]
    const affinity = { kind: 'cookie', name: 'sid', ttl: 0 } as const
    const trafficPolicies = [
      policy({
        ...{ mode: 'l7', maxPendingRequests: 7 },
        loadBalancer: { algorithm: 'maglev', affinity },
      }),
    ]
    world.update({ ...state, services: [service({ ports })], trafficPolicies })
    for (const each of [found, direct]) {
      t.match(each, { mode: 'l7', protocol: 'http', wire: 'http2', maxPendingRequests: 7 })
    }
    t.ok(found.picker instanceof Maglev)
    t.ok(found.affinity instanceof CookieAffinity)
    t.equal(direct?.affinity, undefined, 'one endpoint is no choice, so nobody is given a cookie')
    world.update(state)
    for (const each of [found, direct]) t.match(each, bare)
  },
)

t.test("catalog: affinity, by the policy and then by the Service's own word", async (t) => {
  const world = new World()
  const update = (clientIpAffinity: boolean, affinity: SessionAffinity): Affinity | undefined => {
    const loadBalancer = { algorithm: 'leastRequest', affinity } as const
    const trafficPolicies = [policy({ loadBalancer })]
    world.update({ services: [service({ clientIpAffinity })], trafficPolicies })
    return world.named('shop.default').affinity
  }
  t.equal(update(false, { kind: 'none' }), undefined)
  t.ok(update(true, { kind: 'none' }) instanceof SourceAffinity)
  t.ok(update(false, { kind: 'sourceIp' }) instanceof SourceAffinity)
  const first = update(true, { kind: 'header', name: 'x-user' })
  t.ok(first instanceof HeaderAffinity)
  t.equal(update(false, { kind: 'header', name: 'x-user' }), first, 'no news, so it stays')
  t.not(update(false, { kind: 'header', name: 'x-other' }), first)
  t.equal(update(false, { kind: 'none' }), undefined)
})

t.test('catalog: a picker stays as long as there is no news for it', async (t) => {
  const world = new World()
  const state = { services: [service()], endpointSlices: [slice(['10.1.0.1', '10.1.0.2'])] }
  const picker = (change: Partial<Resources> = {}): Picker => {
    world.update({ ...state, ...change })
    return world.named('shop.default').picker
  }
  const first = picker()
  t.equal(picker(), first)
  t.equal(picker({ services: [service(), service({ name: 'other', clusterIPs: [] })] }), first)
  const changes: readonly Partial<Resources>[] = [
    { endpointSlices: [slice(['10.1.0.1', '10.1.0.2'], { weight: 2 })] },
    { endpointSlices: [slice(['10.1.0.1'])] },
    { endpointSlices: [slice(['10.1.0.1', '10.1.0.3'])] },
    {
      trafficPolicies: [
        policy({ loadBalancer: { algorithm: 'random', affinity: { kind: 'none' } } }),
      ],
    },
    { services: [service({ clientIpAffinity: true })] },
  ]
  for (const change of changes) {
    const before = picker()
    t.not(picker(change), before)
    t.equal(picker(change), world.named('shop.default').picker)
  }
})

t.test(
  'catalog: the pool of an endpoint that goes is retired once, and it comes back without',
  async (t) => {
    for (const others of [[service()], []]) {
      const world = new World()
      const state = { services: [service()], endpointSlices: [slice(['10.1.0.1', '10.1.0.2'])] }
      world.update(state)
      const [first, second] = [world.endpoint(0), world.endpoint(1)]
      const pools = [first, second].map(() => new FakePool())
      const [pool] = pools
      first.requests = pools[0]
      second.requests = pools[1]
      first.open = 2
      world.update(state, 500)
      const retired = (): number[] => pools.map((each) => each.retired)
      t.same(retired(), [0, 0])
      const gone = { services: others, endpointSlices: [slice(['10.1.0.2'])] }
      world.update(gone, 1000)
      world.update(gone, 2000)
      t.same(retired(), others.length > 0 ? [1, 0] : [1, 1])
      t.equal(first.requests, pool, 'what is under way may finish in it')
      world.update(state, 3000)
      t.equal(world.endpoint(0), first)
      t.equal(first.requests, undefined, 'the next request makes a new one')
      t.equal(first.open, 2)
      const next = new FakePool()
      first.requests = next
      world.update(state, 4000)
      t.equal(first.requests, next)
      world.update(gone, 5000)
      t.equal(next.retired, 1)
    }
  },
)

class FakePool implements Pool {
  readonly isRetired = false
  readonly hasIdle = false
  retired = 0
  hasIdleFor(): boolean {
    return false
  }
  evict(): boolean {
    return false
  }
  open(): void {}
  headers(): void {}
  ended(): void {}
  retire(): void {
    this.retired += 1
  }
}

/** Requests to that endpoint which all fail. */
function failing(world: World, at: number, times = 5): void {
  const { health } = world.named('shop.default')
  const endpoint = world.endpoint(at)
  for (let turn = 0; turn < times; turn += 1) {
    const exchange = exchangeOf([])
    health?.chosen(exchange, endpoint)
    exchange.status = 500
    health?.answered(exchange, endpoint)
    health?.left(exchange, endpoint)
  }
}

t.test('catalog: health is watched where a policy asks for it, and survives updates', async (t) => {
  const world = new World()
  const state = { services: [service()], endpointSlices: [slice(['10.1.0.1', '10.1.0.2'])] }
  world.update(state)
  const destination = world.named('shop.default')
  t.equal(destination.health, undefined)
  const trafficPolicies = [policy({ outlier: DEFAULT_OUTLIER })]
  world.update({ ...state, trafficPolicies })
  const { health } = destination
  t.ok(health)
  t.equal(
    world.catalog.table.find('10.1.0.1', 8080)?.health,
    undefined,
    'one endpoint is no choice',
  )
  failing(world, 0)
  t.equal(health?.ejected, 1)
  const endpointSlices = [slice(['10.1.0.1', '10.1.0.2', '10.1.0.3'], { weight: 2 })]
  world.update({
    ...state,
    endpointSlices,
    trafficPolicies: [policy({ outlier: { ...DEFAULT_OUTLIER } })],
  })
  t.equal(destination.health, health, 'no news, so it stays')
  t.equal(health?.ejected, 1, 'so do breakers, with another picker')
  const other = [
    policy({ outlier: { ...DEFAULT_OUTLIER, consecutiveFailures: 2, panicPercent: 0 } }),
  ]
  world.update({ ...state, endpointSlices, trafficPolicies: other })
  t.equal(destination.health, health)
  t.ok(health?.failsFast, 'the new rule is in force')
  t.equal(health?.ejected, 1)
})

t.test('catalog: shares follow the endpoints, and the end of a policy frees all', async (t) => {
  const world = new World()
  const services = [service()]
  const trafficPolicies = [policy({ outlier: DEFAULT_OUTLIER })]
  const of = (...ips: string[]): Partial<Resources> => ({
    ...{ services, trafficPolicies, endpointSlices: [slice(ips)] },
  })
  world.update(of('10.1.0.1'))
  failing(world, 0, 9)
  const { health } = world.named('shop.default')
  t.equal(health?.ejected, 0, 'the only one')
  world.update(of('10.1.0.1', '10.1.0.2'))
  failing(world, 0, 1)
  t.equal(health?.ejected, 1)
  const ejected = world.endpoint(0)
  world.update(of('10.1.0.2', '10.1.0.3'))
  t.equal(health?.ejected, 0, 'it is gone')
  world.update(of('10.1.0.1', '10.1.0.2'))
  t.not(world.endpoint(0), ejected, 'and forgotten')
  failing(world, 0, 5)
  t.equal(health?.ejected, 1)
  world.update({ ...of('10.1.0.1', '10.1.0.2'), trafficPolicies: [policy()] })
  t.equal(world.named('shop.default').health, undefined)
  t.ok(world.endpoint(0).ejectedUntil < world.clock.now())
})

t.test('catalog: who was not ready when a policy ended is free too', async (t) => {
  const world = new World()
  const addresses = ['10.1.0.1', '10.1.0.2']
  const of = (ready: boolean, outlier: typeof DEFAULT_OUTLIER | undefined): void => {
    const endpoints = addresses.map((ip, at) => ({ addresses: [ip], ready: ready || at > 0 }))
    const endpointSlices = [slice([], { endpoints })]
    world.update({ services: [service()], endpointSlices, trafficPolicies: [policy({ outlier })] })
  }
  of(true, DEFAULT_OUTLIER)
  failing(world, 0)
  const ejected = world.endpoint(0)
  of(false, DEFAULT_OUTLIER)
  of(true, DEFAULT_OUTLIER)
  t.equal(world.endpoint(0), ejected)
  t.ok(ejected.ejectedUntil > world.clock.now(), 'what is not ready for a moment stays ejected')
  of(false, DEFAULT_OUTLIER)
  of(false, undefined)
  of(true, undefined)
  t.equal(world.endpoint(0), ejected)
  t.notOk(ejected.ejectedUntil > world.clock.now())
  of(true, DEFAULT_OUTLIER)
  t.equal(world.named('shop.default').health?.ejected, 0)
})

t.test('catalog: health is looked at once a second', async (t) => {
  const world = new World()
  const state = { services: [service()], endpointSlices: [slice(['10.1.0.1', '10.1.0.2'])] }
  world.update({ ...state, trafficPolicies: [policy({ outlier: DEFAULT_OUTLIER })] })
  failing(world, 0)
  world.endpoint(1).connectFailed(0)
  const { health } = world.named('shop.default')
  t.notOk(health?.isPanicking)
  world.catalog.sweep(500)
  t.ok(health?.isPanicking, 'the other one cannot be connected to')
})
