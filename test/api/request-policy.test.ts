// What a TrafficPolicy demands of requests, as it is meant to be written: every key, what is not said, and what a
// route inherits.

import t, { type Test } from 'tap'
import {
  DEFAULT_OUTLIER,
  DEFAULT_RETRY_BUDGET,
  DEFAULT_RULES,
  type RouteRules,
  type TrafficPolicy,
} from '../../src/api/resources.ts'
import { policy, read } from './manifests.ts'

function policyOf(t: Test, spec: string): TrafficPolicy {
  const { resources, problems } = read(policy(spec))
  t.same(problems, [], spec)
  const [found] = resources.trafficPolicies
  if (found === undefined) throw new Error(problems.join('\n'))
  return found
}

const WHOLE = `
apiVersion: underpass.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: reviews, namespace: shop }
spec:
  targetRef: { kind: Service, name: reviews }
  mode: l7
  timeouts: { connect: 2s, idle: 2h, request: 15s, perTry: 2s, responseHeaders: 5s, streamIdle: 5m }
  retries:
    attempts: 3
    on: [connect-failure, reset, refused-stream, per-try-timeout, gateway-error, 5xx, 429]
    methods: [GET, HEAD, M-SEARCH]
    backoff: { base: 30ms, max: 300ms }
    retryAfter: 2s
    budget: { percent: 12.5, minPerSecond: 3, window: 20s }
    hedge: { after: 100ms }
  circuitBreaker:
    maxConnections: 1
    maxPendingRequests: 2
    maxRequests: 3
    maxRetries: 4
    outlier:
      consecutiveFailures: 6
      minSuccessRate: 0.8
      slowerThanPeers: 4.5
      minRequests: 30
      window: 30s
      ejection: { base: 3s, max: 50s }
      maxEjectedPercent: 40
      panicPercent: 30
      slowStart: 20s
  faults: { delay: { duration: 2s, percent: 10 }, abort: { status: 503, percent: 0.5 } }
  mirror: { service: reviews-next, namespace: other, port: 9080, percent: 50 }
  routes:
    - name: checkout
      matches:
        - path: { type: PathPrefix, value: /checkout }
          method: POST
          headers: [{ name: X-Env, value: test }, { type: Exact, name: x-b, value: "a b" }]
        - path: { type: Exact, value: "/a%2e/b" }
      timeouts: { request: 3s, perTry: 1s, responseHeaders: 500ms, streamIdle: 1m }
      retries:
        attempts: 1
        on: [503]
        methods: [PUT]
        backoff: { base: 1ms, max: 2ms }
        retryAfter: 0s
        hedge: { after: 0s }
      faults: { abort: { status: 418 } }
      mirror: { service: checkout, port: 80 }
    - { name: rest, matches: [{}] }
`

const NAMED = ['reviews', 'shop', 1, 'leastRequest']

const SERVICE_RULES: RouteRules = {
  timeouts: { request: 15_000, perTry: 2000, responseHeaders: 5000, streamIdle: 300_000 },
  retries: {
    attempts: 3,
    on: [
      'connect-failure',
      'reset',
      'refused-stream',
      'per-try-timeout',
      'gateway-error',
      '5xx',
      429,
    ],
    methods: ['GET', 'HEAD', 'M-SEARCH'],
    backoff: { base: 30, max: 300 },
    retryAfter: 2000,
    hedgeAfter: 100,
  },
  faults: {
    delay: { duration: 2000, percent: 10 },
    abort: { status: 503, percent: 0.5 },
  },
  mirror: { service: 'reviews-next', namespace: 'other', port: 9080, percent: 50 },
}

t.test('policy: everything that can be said of requests', async (t) => {
  const { resources, problems } = read(WHOLE)
  t.same(problems, [])
  const [{ name, namespace, origin, loadBalancer, ...rest } = {}] = resources.trafficPolicies
  t.same([name, namespace, origin?.document, loadBalancer?.algorithm], NAMED)
  t.strictSame(rest, {
    kind: 'TrafficPolicy',
    service: 'reviews',
    section: undefined,
    mode: 'l7',
    directToEndpoint: 'endpoint',
    timeouts: { connect: 2000, idle: 7_200_000 },
    ...{ maxConnections: 1, maxPendingRequests: 2, maxRequests: 3, maxRetries: 4 },
    rules: SERVICE_RULES,
    retryBudget: { percent: 12.5, minPerSecond: 3, window: 20_000 },
    outlier: {
      ...{ consecutiveFailures: 6, minSuccessRate: 0.8, slowerThanPeers: 4.5, minRequests: 30 },
      ...{ window: 30_000, ejection: { base: 3000, max: 50_000 }, maxEjectedPercent: 40 },
      ...{ panicPercent: 30, slowStart: 20_000 },
    },
    routes: [
      {
        name: 'checkout',
        matches: [
          {
            path: { type: 'PathPrefix', value: '/checkout' },
            method: 'POST',
            headers: [
              { name: 'x-env', value: 'test' },
              { name: 'x-b', value: 'a b' },
            ],
          },
          { path: { type: 'Exact', value: '/a%2e/b' }, method: undefined, headers: [] },
        ],
        rules: {
          timeouts: { request: 3000, perTry: 1000, responseHeaders: 500, streamIdle: 60_000 },
          retries: {
            ...{ attempts: 1, on: [503], methods: ['PUT'], backoff: { base: 1, max: 2 } },
            ...{ retryAfter: 0, hedgeAfter: 0 },
          },
          faults: { delay: undefined, abort: { status: 418, percent: 100 } },
          mirror: { service: 'checkout', namespace: 'shop', port: 80, percent: 100 },
        },
      },
      {
        name: 'rest',
        matches: [{ path: undefined, method: undefined, headers: [] }],
        rules: SERVICE_RULES,
      },
    ],
  })
})

t.test('policy: what is not said', async (t) => {
  for (const spec of [
    '',
    'timeouts: {}, retries: {}, circuitBreaker: {}, faults: {}, routes: []',
  ]) {
    const { rules, routes, retryBudget, outlier, maxRequests, maxRetries } = policyOf(t, spec)
    t.strictSame(rules, DEFAULT_RULES)
    t.strictSame([routes, retryBudget], [[], DEFAULT_RETRY_BUDGET])
    t.strictSame([outlier, maxRequests, maxRetries], [undefined, undefined, undefined])
  }
  t.strictSame(policyOf(t, 'circuitBreaker: { outlier: {} }').outlier, DEFAULT_OUTLIER)
  t.strictSame(policyOf(t, 'circuitBreaker: { outlier: null }').outlier, undefined)
  t.strictSame(policyOf(t, 'retries: { budget: {} }').retryBudget, DEFAULT_RETRY_BUDGET)
})

t.test('policy: none, at the ends of ranges, and in any order of length', async (t) => {
  const none = '{ request: 0s, perTry: 0s, responseHeaders: 0s, streamIdle: 0s }'
  t.strictSame(policyOf(t, `timeouts: ${none}`).rules.timeouts, DEFAULT_RULES.timeouts)
  const odd = policyOf(t, 'timeouts: { request: 1s, perTry: 2s, responseHeaders: 3s }')
  t.match(odd.rules.timeouts, { request: 1000, perTry: 2000, responseHeaders: 3000 })
  const least =
    '{ attempts: 0, on: [], methods: [], retryAfter: 0s, budget: { percent: 0, minPerSecond: 0, window: 1s } }'
  const { rules, retryBudget } = policyOf(t, `retries: ${least}`)
  t.match(rules.retries, { attempts: 0, on: [], methods: [], retryAfter: 0, hedgeAfter: 0 })
  t.same(retryBudget, { percent: 0, minPerSecond: 0, window: 1000 })
  const most = 'on: [400, 599], attempts: 10, budget: { percent: 100, window: 1m }'
  t.match(policyOf(t, `retries: { ${most} }`), {
    rules: { retries: { on: [400, 599], attempts: 10 } },
    retryBudget: { percent: 100, window: 60_000 },
  })
  const off =
    '{ consecutiveFailures: 0, minSuccessRate: 0, slowerThanPeers: 0, minRequests: 1, window: 1s, maxEjectedPercent: 0, panicPercent: 0, slowStart: 0s }'
  t.match(policyOf(t, `circuitBreaker: { outlier: ${off} }`).outlier, {
    ...{ consecutiveFailures: 0, minSuccessRate: 0, slowerThanPeers: 0, minRequests: 1 },
    ...{ window: 1000, maxEjectedPercent: 0, panicPercent: 0, slowStart: 0 },
  })
  const full = '{ minSuccessRate: 1, slowerThanPeers: 1.01, window: 60s, maxEjectedPercent: 100 }'
  t.match(policyOf(t, `circuitBreaker: { outlier: ${full} }`).outlier, {
    ...{ minSuccessRate: 1, slowerThanPeers: 1.01, window: 60_000, maxEjectedPercent: 100 },
  })
  const faults = 'faults: { delay: { duration: 1ms, percent: 0 }, abort: { status: 400 } }'
  t.strictSame(policyOf(t, faults).rules.faults, {
    delay: { duration: 1, percent: 0 },
    abort: { status: 400, percent: 100 },
  })
})

t.test('policy: of a backoff what is not said gives way to what is', async (t) => {
  const backoffOf = (said: string): object =>
    policyOf(t, `retries: { backoff: ${said} }`).rules.retries.backoff
  t.same(backoffOf('{}'), { base: 25, max: 250 })
  t.same(backoffOf('{ base: 100ms }'), { base: 100, max: 250 })
  t.same(backoffOf('{ base: 1s }'), { base: 1000, max: 1000 })
  t.same(backoffOf('{ max: 10ms }'), { base: 10, max: 10 })
  t.same(backoffOf('{ base: 1s, max: 1s }'), { base: 1000, max: 1000 })
})

t.test('policy: a route inherits key by key what it does not say', async (t) => {
  const service = `timeouts: { request: 10s, perTry: 1s, streamIdle: 1m },
    retries: { attempts: 5, on: [5xx], methods: [PUT], backoff: { base: 40ms, max: 90ms }, hedge: { after: 7ms } },
    faults: { delay: { duration: 1s } }, mirror: { service: m, port: 1 }`
  const { rules } = policyOf(t, service)
  const inRoute = (route: string): RouteRules | undefined =>
    policyOf(t, `${service}, routes: [{ name: r, matches: [{}], ${route} }]`).routes[0]?.rules
  t.strictSame(inRoute('timeouts: {}, retries: {}'), rules)
  const { timeouts, retries } = rules
  const cases: readonly (readonly [said: string, expected: RouteRules])[] = [
    ['timeouts: { request: 0s }', { ...rules, timeouts: { ...timeouts, request: 0 } }],
    ['timeouts: { perTry: 2s }', { ...rules, timeouts: { ...timeouts, perTry: 2000 } }],
    [
      'timeouts: { responseHeaders: 2s }',
      { ...rules, timeouts: { ...timeouts, responseHeaders: 2000 } },
    ],
    ['timeouts: { streamIdle: 2s }', { ...rules, timeouts: { ...timeouts, streamIdle: 2000 } }],
    ['retries: { attempts: 0 }', { ...rules, retries: { ...retries, attempts: 0 } }],
    ['retries: { on: [] }', { ...rules, retries: { ...retries, on: [] } }],
    ['retries: { methods: [GET] }', { ...rules, retries: { ...retries, methods: ['GET'] } }],
    [
      'retries: { backoff: { base: 50ms } }',
      { ...rules, retries: { ...retries, backoff: { base: 50, max: 90 } } },
    ],
    ['retries: { retryAfter: 9s }', { ...rules, retries: { ...retries, retryAfter: 9000 } }],
    ['retries: { hedge: { after: 9ms } }', { ...rules, retries: { ...retries, hedgeAfter: 9 } }],
    ['faults: {}', { ...rules, faults: undefined }],
    [
      'faults: { abort: { status: 500 } }',
      { ...rules, faults: { delay: undefined, abort: { status: 500, percent: 100 } } },
    ],
    [
      'mirror: { service: n, port: 2, percent: 0 }',
      { ...rules, mirror: { service: 'n', namespace: 'default', port: 2, percent: 0 } },
    ],
  ]
  for (const [said, expected] of cases) t.strictSame(inRoute(said), expected, said)
})

t.test('policy: routes, as Gateway API writes matches', async (t) => {
  const matchOf = (match: string): unknown =>
    policyOf(t, `routes: [{ name: r, matches: [${match}] }]`).routes[0]?.matches[0]
  const any = { path: undefined, method: undefined, headers: [] }
  t.strictSame(matchOf('{}'), any)
  t.strictSame(matchOf('{ path: {} }'), { ...any, path: { type: 'PathPrefix', value: '/' } })
  t.strictSame(matchOf('{ path: { value: /a/ } }'), {
    ...any,
    path: { type: 'PathPrefix', value: '/a/' },
  })
  t.strictSame(matchOf('{ method: CONNECT }'), { ...any, method: 'CONNECT' })
  const long = `/${'a'.repeat(1023)}`
  const value = 'v'.repeat(4096)
  for (const path of ['/', '/...', '/a.b/.c', '/%C3%A9', "/-._~!$&'()*+,;=:@[]^`{|}", long]) {
    const text = JSON.stringify(path)
    t.strictSame(matchOf(`{ path: { type: Exact, value: ${text} } }`), {
      ...any,
      path: { type: 'Exact', value: path },
    })
  }
  t.strictSame(matchOf(`{ headers: [{ name: A, value: ${value} }] }`), {
    ...any,
    headers: [{ name: 'a', value }],
  })
  const name = 'r'.repeat(63)
  const many = Array.from({ length: 64 }, (_, at) => `{ name: r${at}, matches: [{}] }`)
  t.equal(policyOf(t, `routes: [${many.join(', ')}]`).routes.length, 64)
  t.equal(policyOf(t, `routes: [{ name: ${name}, matches: [{}] }]`).routes[0]?.name, name)
})

t.test('policy: a mirror that is not there is a warning', async (t) => {
  const service = (name: string, port: number): string =>
    `---\n{ apiVersion: v1, kind: Service, metadata: { name: ${name} }, spec: { ports: [{ port: ${port} }] } }\n`
  const spec = `mirror: { service: m, port: 80 }, routes: [
    { name: a, matches: [{}] }, { name: b, matches: [{}], mirror: { service: n, namespace: x, port: 1 } }]`
  const warnings = (...others: readonly string[]): string[] => {
    const found = read(policy(spec) + service('s', 80) + others.join(''))
    t.same(found.problems, [])
    return found.warnings
  }
  const says = 'there is no Service default/m with TCP port 80, so nothing is mirrored there'
  const other =
    'f.yaml#1 spec.routes[1].mirror: there is no Service x/n with TCP port 1, so nothing is mirrored there'
  t.same(warnings(), [`f.yaml#1 spec.mirror: ${says}`, other])
  t.same(warnings(service('m', 81)), [`f.yaml#1 spec.mirror: ${says}`, other])
  t.same(warnings(service('m', 80)), [other])
})
