// Every slip in what a TrafficPolicy demands of requests: the exact path of each problem, and that nothing else is said.

import t from 'tap'
import { type Case, check, policy } from './manifests.ts'

const duration = 'must be a duration like 250ms, 1s or 5m'
const orNone = 'or 0s for none'

/** A key's value, on the level of the Service and on that of a route. */
function onBoth(
  said: string,
  ...problems: readonly (readonly [path: string, says: string])[]
): Case[] {
  const below = (prefix: string): (readonly [string, string])[] =>
    problems.map(([path, says]) => [`${prefix}.${path}`, says])
  return [
    [policy(said), ...below('spec')],
    [policy(`routes: [{ name: r, matches: [{}], ${said} }]`), ...below('spec.routes[0]')],
  ]
}

t.test('bad policy: timeouts', async (t) => {
  for (const key of ['request', 'perTry', 'responseHeaders', 'streamIdle']) {
    check(t, [
      ...onBoth(`timeouts: { ${key}: 15 }`, [`timeouts.${key}`, `${duration}, ${orNone}`]),
      ...onBoth(`timeouts: { ${key}: -1s }`, [`timeouts.${key}`, duration]),
      ...onBoth(`timeouts: { ${key}: 99999h }`, [`timeouts.${key}`, 'at most']),
    ])
  }
  check(t, [
    ...onBoth('timeouts: 3', ['timeouts', 'must be a mapping']),
    [
      policy('routes: [{ name: r, matches: [{}], timeouts: { connect: 1s, idle: 1s } }]'),
      ['spec.routes[0].timeouts.connect', 'is not a known key; known here: request, perTry'],
      ['spec.routes[0].timeouts.idle', 'is not a known key'],
    ],
  ])
})

t.test('bad policy: retries', async (t) => {
  const cause = 'must be one of connect-failure, reset, refused-stream, per-try-timeout, '
  check(t, [
    ...onBoth('retries: []', ['retries', 'must be a mapping']),
    ...onBoth('retries: { bugdet: {} }', ['retries.bugdet', 'is not a known key']),
    ...onBoth('retries: { attempts: 11 }', ['retries.attempts', 'from 0 to 10']),
    ...onBoth('retries: { attempts: -1 }', ['retries.attempts', 'from 0 to 10']),
    ...onBoth('retries: { attempts: 1.5 }', ['retries.attempts', 'whole number']),
    ...onBoth('retries: { on: reset }', ['retries.on', 'must be a list']),
    ...onBoth(
      'retries: { on: [never, 399, reset, 600, 500.5, "503", null] }',
      [
        'retries.on[0]',
        `${cause}gateway-error, 5xx, cancelled, deadline-exceeded, internal, resource-exhausted, unavailable, or a status 400 to 599, but found "never"`,
      ],
      ['retries.on[1]', 'a status 400 to 599, but found 399'],
      ['retries.on[3]', 'but found 600'],
      ['retries.on[4]', 'but found 500.5'],
      ['retries.on[5]', 'but found "503"'],
      ['retries.on[6]', 'but found null'],
    ),
    ...onBoth('retries: { methods: GET }', ['retries.methods', 'must be a list']),
    ...onBoth(
      `retries: { methods: [get, "", 3, GET, CONNECT, "A B", ${'A'.repeat(33)}] }`,
      ['retries.methods[0]', 'must be a method like GET, but found "get"'],
      ['retries.methods[1]', 'must be a method'],
      ['retries.methods[2]', 'must be a method'],
      ['retries.methods[4]', 'is never sent again, but found "CONNECT"'],
      ['retries.methods[5]', 'must be a method'],
      ['retries.methods[6]', 'must be a method'],
    ),
    ...onBoth(
      'retries: { backoff: { base: 0s, max: x, factor: 2 } }',
      ['retries.backoff.factor', 'is not a known key'],
      ['retries.backoff.base', duration],
      ['retries.backoff.max', duration],
    ),
    ...onBoth('retries: { backoff: { base: 1s, max: 1ms } }', [
      'retries.backoff.max',
      'must not be less than base, but found "1ms"',
    ]),
    ...onBoth('retries: { retryAfter: 1 }', ['retries.retryAfter', `${duration}, ${orNone}`]),
    ...onBoth('retries: { hedge: {} }', ['retries.hedge.after', 'is required']),
    ...onBoth('retries: { hedge: { after: soon } }', ['retries.hedge.after', duration]),
    ...onBoth(
      'retries: { hedge: 100ms }',
      ['retries.hedge', 'must be a mapping'],
      ['retries.hedge.after', 'is required'],
    ),
  ])
})

t.test('bad policy: the budget of retries, which only a Service has', async (t) => {
  const path = 'spec.retries.budget'
  const budget = (said: string): string => policy(`retries: { budget: ${said} }`)
  check(t, [
    [budget('20'), [path, 'must be a mapping']],
    [budget('{ share: 1 }'), [`${path}.share`, 'is not a known key']],
    [
      budget('{ percent: 101, minPerSecond: -1, window: 10 }'),
      [`${path}.percent`, 'from 0 to 100'],
      [`${path}.minPerSecond`, 'must be a number from 0'],
      [`${path}.window`, duration],
    ],
    [budget('{ percent: .nan }'), [`${path}.percent`, 'from 0 to 100']],
    [budget('{ window: 999ms }'), [`${path}.window`, 'at least 1s']],
    [budget('{ window: 61s }'), [`${path}.window`, 'at most 1m']],
    [
      policy('routes: [{ name: r, matches: [{}], retries: { budget: { percent: 1 } } }]'),
      ['spec.routes[0].retries.budget', 'is not a known key; known here: attempts, on, methods'],
    ],
  ])
})

t.test('bad policy: limits and outliers', async (t) => {
  const cb = 'spec.circuitBreaker'
  const path = `${cb}.outlier`
  const outlier = (said: string): string => policy(`circuitBreaker: { outlier: { ${said} } }`)
  for (const key of ['maxConnections', 'maxPendingRequests', 'maxRequests', 'maxRetries']) {
    check(t, [
      [policy(`circuitBreaker: { ${key}: 0 }`), [`${cb}.${key}`, 'whole number from 1 to 1000000']],
      [policy(`circuitBreaker: { ${key}: 0.5 }`), [`${cb}.${key}`, 'but found 0.5']],
      [policy(`circuitBreaker: { ${key}: 1000001 }`), [`${cb}.${key}`, 'whole number']],
    ])
  }
  check(t, [
    [policy('circuitBreaker: []'), [cb, 'must be a mapping']],
    [policy('circuitBreaker: { maxRequest: 1 }'), [`${cb}.maxRequest`, 'is not a known key']],
    [policy('circuitBreaker: { outlier: on }'), [path, 'must be a mapping']],
    [outlier('slowerThanPears: 5'), [`${path}.slowerThanPears`, 'is not a known key']],
    [outlier('consecutiveFailures: -1'), [`${path}.consecutiveFailures`, 'whole number from 0']],
    [outlier('consecutiveFailures: 1.5'), [`${path}.consecutiveFailures`, 'whole number']],
    [outlier('minSuccessRate: 1.1'), [`${path}.minSuccessRate`, 'a number from 0 to 1,']],
    [outlier('minSuccessRate: "0.8"'), [`${path}.minSuccessRate`, 'a number from 0 to 1,']],
    ...['1', '0.5', '-1', '.nan', '.inf', '"5"'].map(
      (value): Case => [
        outlier(`slowerThanPeers: ${value}`),
        [`${path}.slowerThanPeers`, 'must be a number above 1 up to 1000000, or 0 for never'],
      ],
    ),
    [outlier('minRequests: 0'), [`${path}.minRequests`, 'whole number from 1']],
    [outlier('window: 500ms'), [`${path}.window`, 'at least 1s']],
    [outlier('window: 2m'), [`${path}.window`, 'at most 1m']],
    [outlier('ejection: 1s'), [`${path}.ejection`, 'must be a mapping']],
    [
      outlier('ejection: { base: 2s, max: 1s }'),
      [`${path}.ejection.max`, 'must not be less than base'],
    ],
    [outlier('maxEjectedPercent: 101'), [`${path}.maxEjectedPercent`, 'from 0 to 100']],
    [outlier('panicPercent: -1'), [`${path}.panicPercent`, 'from 0 to 100']],
    [outlier('slowStart: 10'), [`${path}.slowStart`, orNone]],
  ])
})

t.test('bad policy: faults and mirror', async (t) => {
  check(t, [
    ...onBoth('faults: 1', ['faults', 'must be a mapping']),
    ...onBoth('faults: { dealy: {} }', ['faults.dealy', 'is not a known key']),
    ...onBoth('faults: { delay: {} }', ['faults.delay.duration', 'is required']),
    ...onBoth('faults: { delay: { duration: 0s } }', ['faults.delay.duration', duration]),
    ...onBoth(
      'faults: { delay: { duration: x, percent: 101, rate: 1 } }',
      ['faults.delay.rate', 'is not a known key'],
      ['faults.delay.duration', duration],
      ['faults.delay.percent', 'from 0 to 100'],
    ),
    ...onBoth('faults: { abort: {} }', ['faults.abort.status', 'whole number from 400 to 599']),
    ...onBoth('faults: { abort: { status: 399 } }', ['faults.abort.status', 'from 400 to 599']),
    ...onBoth(
      'faults: { abort: { status: 600, percent: x } }',
      ['faults.abort.status', 'from 400 to 599'],
      ['faults.abort.percent', 'from 0 to 100'],
    ),
    ...onBoth(
      'mirror: {}',
      ['mirror.service', 'is required'],
      ['mirror.port', 'must be a whole number from 1 to 65535'],
    ),
    ...onBoth(
      'mirror: { service: a.b, namespace: C, port: 0, percent: -1, to: x }',
      ['mirror.to', 'is not a known key'],
      ['mirror.service', 'must be a name'],
      ['mirror.namespace', 'must be a name'],
      ['mirror.port', 'from 1 to 65535'],
      ['mirror.percent', 'from 0 to 100'],
    ),
    ...onBoth(
      'mirror: reviews',
      ['mirror', 'must be a mapping'],
      ['mirror.service', 'is required'],
      ['mirror.port', 'must be a whole number'],
    ),
  ])
})

t.test('bad policy: routes and their names', async (t) => {
  const route = (name: string): string => `{ name: ${name}, matches: [{}] }`
  const [at, next] = ['spec.routes[0]', 'spec.routes[1]']
  check(t, [
    [policy('routes: {}'), ['spec.routes', 'must be a list']],
    [
      policy('routes: [null, 3]'),
      [at, 'is required'],
      [`${at}.name`, 'is required'],
      [`${at}.matches`, 'must have at least one match'],
      [next, 'must be a mapping'],
      [`${next}.name`, 'is required'],
      [`${next}.matches`, 'must have at least one match'],
    ],
    [policy('routes: [{ matches: [{}] }]'), [`${at}.name`, 'is required']],
    [policy(`routes: [${route('a.b')}]`), [`${at}.name`, 'must be a name of 1 to 63']],
    [policy(`routes: [${route('A')}]`), [`${at}.name`, 'must be a name of 1 to 63']],
    [policy(`routes: [${route('a'.repeat(64))}]`), [`${at}.name`, 'must be a name of 1 to 63']],
    [policy(`routes: [${route('default')}]`), [`${at}.name`, 'that no route matches']],
    [
      policy(`routes: [${route('a')}, ${route('b')}, ${route('a')}]`),
      ['spec.routes[2].name', 'is the name of routes[0] too, but found "a"'],
    ],
    [
      policy('routes: [{ name: a, matches: [{}], route: x, circuitBreaker: {} }]'),
      [`${at}.route`, 'is not a known key'],
      [`${at}.circuitBreaker`, 'is not a known key; known here: name, matches, timeouts'],
    ],
    [
      policy(`routes: [${Array.from({ length: 65 }, (_, i) => route(`r${i}`)).join(', ')}]`),
      ['spec.routes', 'must have at most 64 items, but has 65'],
    ],
  ])
})

t.test('bad policy: matches', async (t) => {
  const at = 'spec.routes[0].matches'
  const route = (matches: string): string => policy(`routes: [{ name: r, matches: ${matches} }]`)
  const paths = ['a', '', '"/a?b"', '"/a#b"', '"/a b"', '/é', '/%', '/%4', '/%g0', '3', '/\\a']
  const detours = ['//', '/a//b', '/./a', '/a/.', '/../a', '/a/..', '/a%2Fb', '/a%2fb']
  const headers = (list: string): string => route(`[{ headers: ${list} }]`)
  check(t, [
    [route('[]'), [at, 'must have at least one match']],
    [route('{}'), [at, 'must be a list']],
    [route('[null]'), [`${at}[0]`, 'is required']],
    [route('[{ queryParams: [] }]'), [`${at}[0].queryParams`, 'is not a known key']],
    [route(`[${'{}, '.repeat(65)}]`), [at, 'must have at most 64 items']],
    [route('[{}, { method: post }]'), [`${at}[1].method`, 'must be a method like GET']],
    [
      route('[{ path: { type: RegularExpression, value: /a } }]'),
      [`${at}[0].path.type`, 'must be one of Exact, PathPrefix'],
    ],
    [route('[{ path: /a }]'), [`${at}[0].path`, 'must be a mapping']],
    [route('[{ path: { prefix: /a } }]'), [`${at}[0].path.prefix`, 'is not a known key']],
    ...[...paths, `/${'a'.repeat(1024)}`].map(
      (path): Case => [
        route(`[{ path: { value: ${path === '' ? '""' : path} } }]`),
        [`${at}[0].path.value`, 'must be a path of at most 1024 characters, from its / on'],
      ],
    ),
    ...detours.map(
      (path): Case => [
        route(`[{ path: { value: "${path}" } }]`),
        [`${at}[0].path.value`, 'must be without //, /./, /../ and %2F'],
      ],
    ),
    [headers('{}'), [`${at}[0].headers`, 'must be a list']],
    [
      headers('[{}]'),
      [`${at}[0].headers[0].name`, 'is required'],
      [`${at}[0].headers[0].value`, 'is required'],
    ],
    [
      headers('[{ name: "a b", value: "", type: RegularExpression, x: 1 }]'),
      [`${at}[0].headers[0].x`, 'is not a known key'],
      [`${at}[0].headers[0].type`, 'must be one of Exact'],
      [`${at}[0].headers[0].name`, 'must be a token'],
      [`${at}[0].headers[0].value`, 'must be text of 1 to 4096 ASCII characters'],
    ],
    ...['" a"', '"a "', '"é"', '"a\\u0000b"', '3', 'true', 'v'.repeat(4097)].map(
      (value): Case => [
        headers(`[{ name: a, value: ${value} }]`),
        [`${at}[0].headers[0].value`, 'must be text of 1 to 4096 ASCII characters'],
      ],
    ),
    [
      headers('[{ name: X-A, value: a }, { name: x-a, value: b }]'),
      [`${at}[0].headers[1].name`, 'is asked for twice'],
    ],
    [
      headers(`[${Array.from({ length: 17 }, (_, i) => `{ name: a${i}, value: a }`).join(', ')}]`),
      [`${at}[0].headers`, 'must have at most 16 items'],
    ],
  ])
})

t.test('bad policy: what is about requests, where connections are balanced', async (t) => {
  const needs = 'needs requests, which mode l4 does not look at'
  const [timeouts, cb] = ['spec.timeouts', 'spec.circuitBreaker']
  check(t, [
    [policy('mode: l4, retries: {}'), ['spec.retries', needs]],
    [policy('mode: l4, faults: {}'), ['spec.faults', needs]],
    [policy('mode: l4, mirror: { service: a, port: 1 }'), ['spec.mirror', needs]],
    [policy('mode: l4, routes: []'), ['spec.routes', needs]],
    [
      policy(
        'mode: l4, timeouts: { connect: 1s, idle: 1h, request: 1s, perTry: 1s, responseHeaders: 1s, streamIdle: x }',
      ),
      [`${timeouts}.request`, needs],
      [`${timeouts}.perTry`, needs],
      [`${timeouts}.responseHeaders`, needs],
      [`${timeouts}.streamIdle`, needs],
      [`${timeouts}.streamIdle`, duration],
    ],
    [
      policy(
        'mode: l4, circuitBreaker: { maxConnections: 1, maxPendingRequests: 1, maxRequests: 1, maxRetries: 1, outlier: {} }',
      ),
      [`${cb}.maxRequests`, needs],
      [`${cb}.maxRetries`, needs],
      [`${cb}.outlier`, needs],
    ],
    [
      policy(
        'mode: l4, timeouts: { request: null }, circuitBreaker: { outlier: null }, retries: null',
      ),
    ],
    [policy('mode: l4, timeouts: 3, circuitBreaker: null'), [timeouts, 'must be a mapping']],
  ])
})
