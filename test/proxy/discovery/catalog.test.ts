// Resources into destinations: what is found at which address, what an update keeps, and what it takes away.

import t from 'tap'
import { Rendezvous } from '../../../src/proxy/balance/rendezvous.ts'
import { policy, service, slice, World } from './fixture.ts'

t.test('catalog: a Service is found by its name and by each of its addresses', async (t) => {
  const world = new World()
  const clusterIPs = ['10.96.0.1', 'fd00::1']
  world.update({ services: [service({ clusterIPs })], endpointSlices: [slice(['10.1.0.1'])] })
  const { table } = world.catalog
  const found = world.named('shop.default')
  t.equal(found.service, 'shop.default:80')
  t.equal(table.find('10.96.0.1', 80), found)
  t.equal(table.find('fd00::1', 80), found)
  t.same([...table.services()], [found])
  t.equal(table.find('10.96.0.1', 81), undefined)
  t.equal(table.named('shop.other', 80), undefined)
  t.ok(table.isServiceIp('10.96.0.1'), 'also at a port that it does not declare')
  t.ok(table.isServiceIp('fd00::1'))
  t.notOk(table.isServiceIp('10.1.0.1'))
})

t.test('catalog: ports are matched by name, and only ready endpoints count', async (t) => {
  const world = new World()
  const ports = [
    { name: 'web', port: 80, appProtocol: '' },
    { name: 'admin', port: 81, appProtocol: '' },
    { name: 'none', port: 82, appProtocol: '' },
  ]
  const endpoints = [
    { addresses: ['10.1.0.1', '10.1.0.99'], ready: true },
    { addresses: ['10.1.0.2'], ready: false },
    { addresses: [], ready: true },
    { addresses: ['fd00::3'], ready: true },
  ]
  const target = slice([], {
    endpoints,
    ports: [
      { name: 'admin', port: 9000 },
      { name: 'web', port: 8080 },
    ],
  })
  const foreign = slice(['10.1.0.7'], { service: 'other' })
  const far = slice(['10.1.0.8'], { namespace: 'far' })
  world.update({ services: [service({ ports })], endpointSlices: [target, foreign, far] })
  t.same(world.keys(), ['10.1.0.1:8080', '[fd00::3]:8080'])
  t.same(world.keys('shop.default', 81), ['10.1.0.1:9000', '[fd00::3]:9000'])
  t.same(world.keys('shop.default', 82), [])
})

t.test('catalog: an update keeps the endpoints and what is known of them', async (t) => {
  const world = new World()
  const services = [service()]
  world.update({ services, endpointSlices: [slice(['10.1.0.1', '10.1.0.2'])] })
  const [destination, first, second] = [
    world.named('shop.default'),
    world.endpoint(0),
    world.endpoint(1),
  ]
  destination.open = 3
  first.open = 3
  const heavier = slice(['10.1.0.3', '10.1.0.1'], { weight: 5 })
  world.update({ services, endpointSlices: [heavier] }, 1000)
  t.equal(world.named('shop.default'), destination)
  t.equal(destination.open, 3)
  t.same(world.keys(), ['10.1.0.3:8080', '10.1.0.1:8080'])
  t.equal(world.endpoint(1), first)
  t.same([first.open, first.weight], [3, 5])
  t.equal(second.counters.retiredAt, 1000)
  t.equal(first.counters.retiredAt, undefined)
})

t.test('catalog: an endpoint that comes back while connections are open is the same', async (t) => {
  const world = new World()
  const services = [service()]
  const endpointSlices = [slice(['10.1.0.1', '10.1.0.2'])]
  world.update({ services, endpointSlices })
  const first = world.endpoint(0)
  first.open = 40
  first.counters.opened = 40
  world.update({ services, endpointSlices: [slice(['10.1.0.2'])] }, 1000)
  t.same(world.keys(), ['10.1.0.2:8080'])
  world.update({ services, endpointSlices: [slice(['10.1.0.2'])] }, 2000)
  t.equal(first.counters.retiredAt, 1000, 'gone since the first of the two updates')
  world.update({ services, endpointSlices }, 3000)
  t.equal(world.endpoint(0), first, 'its connections still count when the next is placed')
  t.equal(first.counters.retiredAt, undefined)
  world.update({}, 4000)
  world.update({ services, endpointSlices }, 5000)
  t.equal(world.endpoint(0), first, 'also if the Service was gone in between')
})

t.test('catalog: what comes back after it was forgotten counts on the page again', async (t) => {
  const world = new World()
  const services = [service()]
  const endpointSlices = [slice(['10.1.0.1'])]
  world.update({ services, endpointSlices })
  const first = world.endpoint()
  first.open = 1
  world.update({ services }, 0)
  first.open = 0
  world.counters.expire(600_001)
  t.same([...world.counters.all()], [])
  world.update({ services, endpointSlices }, 700_000)
  t.same([...world.counters.all()], [world.endpoint().counters])
})

t.test('catalog: what is gone is retired, and forgotten after ten minutes', async (t) => {
  const world = new World()
  const both = [service(), service({ name: 'cart', clusterIPs: ['10.96.0.2'] })]
  const endpointSlices = [slice(['10.1.0.1']), slice(['10.1.0.9'], { service: 'cart' })]
  world.update({ services: both, endpointSlices })
  const cart = world.named('cart.default').picker.endpoints[0]
  if (cart === undefined) throw new Error()
  cart.counters.opened = 1
  world.update({ services: [service()], endpointSlices }, 5000)
  t.equal(world.catalog.table.named('cart.default', 80), undefined)
  t.equal(world.catalog.table.find('10.96.0.2', 80), undefined)
  t.equal(world.catalog.table.find('10.1.0.9', 8080), undefined)
  t.notOk(world.catalog.table.isServiceIp('10.96.0.2'))
  t.equal(cart.counters.retiredAt, 5000)
  const services = (): string[] => [...world.counters.all()].map((line) => line.service)
  world.counters.expire(605_001)
  t.same(services(), ['shop.default:80', 'cart.default:80'], 'a connection of it is open')
  cart.counters.closed = 1
  world.counters.expire(605_000)
  t.equal(services().length, 2, 'not quite ten minutes')
  world.counters.expire(605_001)
  t.same(services(), ['shop.default:80'])
})

t.test('catalog: the policy for a port beats the one for its Service', async (t) => {
  const world = new World()
  const ports = [
    { name: 'web', port: 80, appProtocol: '' },
    { name: 'admin', port: 81, appProtocol: '' },
  ]
  const loadBalancer = { algorithm: 'random', affinity: { kind: 'sourceIp' } } as const
  const trafficPolicies = [
    policy({ maxConnections: 9 }),
    policy({ section: 'admin', timeouts: { connect: 1, idle: 0 }, loadBalancer }),
    policy({ service: 'other', maxConnections: 1 }),
    policy({ namespace: 'far', maxConnections: 1 }),
  ]
  const services = [service({ ports })]
  world.update({ services, trafficPolicies, endpointSlices: [slice(['10.1.0.1'])] })
  t.match(world.named('shop.default', 80), {
    ...{ connectTimeout: 700, idleTimeout: 7000, maxConnections: 9 },
  })
  t.match(world.named('shop.default', 81), {
    ...{ connectTimeout: 1, idleTimeout: 0, maxConnections: Number.POSITIVE_INFINITY },
  })
  t.ok(world.named('shop.default', 81).picker instanceof Rendezvous)
  world.update({ services })
  t.match(world.named('shop.default', 80), {
    ...{ connectTimeout: 1000, idleTimeout: 3_600_000, maxConnections: Number.POSITIVE_INFINITY },
  })
})

t.test("catalog: an endpoint's own address is that endpoint, or its Service", async (t) => {
  const world = new World()
  const state = { services: [service()], endpointSlices: [slice(['10.1.0.1', '10.1.0.2'])] }
  world.update({ ...state, trafficPolicies: [policy({ maxConnections: 5 })] })
  const direct = world.catalog.table.find('10.1.0.2', 8080)
  t.equal(direct?.service, 'shop.default:80')
  t.same(direct?.picker.endpoints, [world.endpoint(1)])
  t.match(direct, { connectTimeout: 700, idleTimeout: 7000, maxConnections: 5 })
  const timeouts = { connect: 5, idle: 50 }
  world.update({ ...state, trafficPolicies: [policy({ maxConnections: 8, timeouts })] })
  t.equal(world.catalog.table.find('10.1.0.2', 8080), direct)
  t.match(direct, { connectTimeout: 5, idleTimeout: 50, maxConnections: 8 })
  world.update({ ...state, trafficPolicies: [policy({ directToEndpoint: 'balance' })] })
  t.equal(world.catalog.table.find('10.1.0.2', 8080), world.named('shop.default'))
  world.update({ ...state, endpointSlices: [slice(['10.1.0.1'])] })
  t.equal(world.catalog.table.find('10.1.0.2', 8080), undefined)
})

t.test('catalog: where an address is both, the Service wins', async (t) => {
  const world = new World()
  const services = [service(), service({ name: 'edge', clusterIPs: ['10.1.0.1'] })]
  const target = slice(['10.1.0.1'], { ports: [{ name: 'web', port: 80 }] })
  for (const order of [services, [...services].reverse()]) {
    world.update({ services: order, endpointSlices: [target] })
    t.equal(world.catalog.table.find('10.1.0.1', 80), world.named('edge.default'))
  }
})

t.test('catalog: an empty state leaves nothing', async (t) => {
  const world = new World()
  world.update({ services: [service()], endpointSlices: [slice(['10.1.0.1'])] })
  world.update({}, 1)
  t.same([...world.catalog.table.services()], [])
  t.ok([...world.counters.all()].every(({ retiredAt }) => retiredAt === 1))
})

t.test(
  'catalog: a Service with sessionAffinity ClientIP has source affinity, with and without a policy',
  async (t) => {
    const world = new World()
    const resources = {
      services: [service({ clientIpAffinity: true })],
      endpointSlices: [slice(['10.1.0.1', '10.1.0.2'])],
    }
    world.update(resources)
    t.ok(world.named('shop.default').picker instanceof Rendezvous)
    world.update({ ...resources, trafficPolicies: [policy()] })
    t.ok(world.named('shop.default').picker instanceof Rendezvous)
    world.update({ ...resources, services: [service()] })
    t.notOk(world.named('shop.default').picker instanceof Rendezvous)
  },
)

t.test('catalog: what is not ready takes no share, and is there for who dials it', async (t) => {
  const world = new World()
  const endpoints = [
    { addresses: ['10.1.0.1'], ready: true },
    { addresses: ['10.1.0.2'], ready: false },
  ]
  world.update({ services: [service()], endpointSlices: [slice([], { endpoints })] })
  t.same(world.keys(), ['10.1.0.1:8080'])
  const direct = world.catalog.table.find('10.1.0.2', 8080)
  t.same(
    direct?.picker.endpoints.map(({ key }) => key),
    ['10.1.0.2:8080'],
  )
})
