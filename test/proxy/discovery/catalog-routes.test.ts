// What a policy demands of requests, put in force: the default route and the others, for the Service and for each of its
// endpoints; and left alone where an update brings no news.

import t from 'tap'
import {
  DEFAULT_RULES,
  type PolicyRoute,
  type RouteRules,
  type TrafficPolicy,
} from '../../../src/api/resources.ts'
import { DEFAULT_ROUTE } from '../../../src/proxy/route/make-route.ts'
import type { Destination } from '../../../src/proxy/stack/destination.ts'
import { headOf } from '../route/heads.ts'
import { policy, service, slice, World } from './fixture.ts'

const STATE = { services: [service()], endpointSlices: [slice(['10.1.0.1'])] }

function rules(request: number): RouteRules {
  return { ...DEFAULT_RULES, timeouts: { ...DEFAULT_RULES.timeouts, request } }
}

function route(name: string, request = 1000): PolicyRoute {
  const path = { type: 'PathPrefix', value: `/${name}` } as const
  return { name, matches: [{ path, method: undefined, headers: [] }], rules: rules(request) }
}

function open(): { update: (change?: Partial<TrafficPolicy>) => void; all: () => Destination[] } {
  const world = new World()
  return {
    update: (change) => {
      const trafficPolicies = change === undefined ? [] : [policy(change)]
      world.update({ ...STATE, trafficPolicies })
    },
    all: () => {
      const direct = world.catalog.table.find('10.1.0.1', 8080)
      if (direct === undefined) throw new Error('no endpoint')
      return [world.named('shop.default'), direct]
    },
  }
}

t.test(
  'catalog: routes are in force for a Service and each endpoint, and taken back',
  async (t) => {
    const { update, all } = open()
    update()
    for (const each of all()) t.same([each.route, each.router], [DEFAULT_ROUTE, undefined])
    update({ rules: rules(7000), routes: [route('a'), route('b', 2000)] })
    for (const { route: whole, router } of all()) {
      t.match(whole, { name: 'default', timeouts: { request: 7000 } })
      t.match(router?.find(headOf('GET /a/x')), { name: 'a', timeouts: { request: 1000 } })
      t.match(router?.find(headOf('GET /b')), { name: 'b', timeouts: { request: 2000 } })
      t.equal(router?.find(headOf('GET /c')), undefined)
    }
    update({ rules: rules(7000) })
    for (const { route: whole, router } of all()) {
      t.match([whole.timeouts.request, router], [7000, undefined])
    }
    update()
    for (const each of all()) t.same([each.route, each.router], [DEFAULT_ROUTE, undefined])
  },
)

t.test('catalog: routes without news are left alone, and each on its own', async (t) => {
  const { update, all } = open()
  const now = (): unknown[] => all().flatMap((each) => [each.route, each.router])
  update({ rules: rules(1), routes: [route('a')] })
  const [whole, router] = now()
  update({ rules: rules(1), routes: [route('a')], maxRequests: 5 })
  t.ok(now().every((each, at) => each === (at % 2 === 0 ? whole : router)))
  t.same(
    all().map(({ maxRequests }) => maxRequests),
    [5, 5],
  )
  update({ rules: rules(2), routes: [route('a')] })
  t.not(now()[0], whole)
  t.equal(now()[1], router)
  const [other] = now()
  for (const routes of [
    [route('a', 2)],
    [route('a'), route('b')],
    [route('b'), route('a')],
    [{ ...route('a'), name: 'c' }],
    [{ ...route('a'), matches: route('b').matches }],
  ]) {
    const before = now()[1]
    update({ rules: rules(2), routes })
    t.equal(now()[0], other)
    t.not(now()[1], before)
    t.equal(now()[3], now()[1], 'the endpoint has the same')
  }
})
