// Which route a request takes: paths by elements, methods, headers, forms of targets, and the order of the routes.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { DEFAULT_RULES, type PolicyRoute, type RouteMatch } from '../../../src/api/resources.ts'
import { seededRandom, systemRandom } from '../../../src/lib/random.ts'
import type { Head } from '../../../src/proxy/http/head.ts'
import { makeRouter } from '../../../src/proxy/route/first-match.ts'
import type { Router } from '../../../src/proxy/stack/route.ts'
import { headOf } from './heads.ts'

t.setTimeout(120_000)

const matchOf = (change: Partial<RouteMatch>): RouteMatch => ({
  ...{ path: undefined, method: undefined, headers: [] },
  ...change,
})
const prefix = (value: string): Partial<RouteMatch> => ({ path: { type: 'PathPrefix', value } })
const exact = (value: string): Partial<RouteMatch> => ({ path: { type: 'Exact', value } })

function route(name: string, ...matches: readonly Partial<RouteMatch>[]): PolicyRoute {
  return { name, matches: matches.map(matchOf), rules: DEFAULT_RULES }
}

function routerOf(...routes: readonly PolicyRoute[]): Router {
  const router = makeRouter(routes)
  if (router === undefined) throw new Error('no routes')
  return router
}

function takes(match: Partial<RouteMatch>, head: Head): boolean {
  return routerOf(route('r', match)).find(head)?.name === 'r'
}

t.test('first match: no routes, no router', async (t) => {
  t.equal(makeRouter([]), undefined)
})

t.test('first match: paths, by type', async (t) => {
  const cases: readonly (readonly [match: Partial<RouteMatch>, yes: string, no: string])[] = [
    [prefix('/'), '/ /a /?x / //', ''],
    [prefix('/a'), '/a /a/ /a/b /a?x /a/?x /a//b /a?', '/ /ab /A /b/a /b?/a /%61 /a%2Fb /a; /./a'],
    [prefix('/a/'), '/a /a/ /a/b /a?x', '/ /ab /a.'],
    [prefix('/a/b'), '/a/b /a/b/c /a/b?/c', '/a /a/ /a/bc /a?/b /a/c'],
    [prefix('/%C3%A9'), '/%C3%A9 /%C3%A9/a', '/%c3%a9 /%C3 /%C3%A9a'],
    [exact('/'), '/ /?x /?', '// /a'],
    [exact('/a'), '/a /a?x /a?/b', '/ /a/ /a/b /ab /A /a/?x'],
    [exact('/a/'), '/a/ /a/?x', '/a /a// /a/b'],
  ]
  for (const [match, yes, no] of cases) {
    for (const [paths, expected] of [
      [yes, true],
      [no, false],
    ] as const) {
      for (const path of paths.split(' ').filter((each) => each !== '')) {
        const label = `${JSON.stringify(match.path)} and ${path}`
        t.equal(takes(match, headOf(`GET ${path}`)), expected, label)
        t.equal(takes(match, headOf(`GET http://shop:80${path}`)), expected, `${label}, absolute`)
        t.equal(takes(match, headOf(`GET HTTPS://[::1]${path}`, [], '[::1]')), expected)
      }
    }
  }
})

t.test('first match: an absolute form without a path', async (t) => {
  for (const line of ['GET http://shop', 'GET http://shop?a=/b', 'OPTIONS http://shop?a']) {
    const head = headOf(line)
    t.equal(takes(prefix('/'), head), true, line)
    t.equal(takes(exact('/'), head), true, line)
    t.equal(takes(prefix('/a'), head), false, line)
    t.equal(takes(exact('/a'), head), false, line)
    t.equal(takes({}, head), true, line)
  }
})

t.test('first match: forms of targets that have no path', async (t) => {
  const heads = [
    headOf('OPTIONS *'),
    headOf('CONNECT shop:80', [], 'shop:80'),
    headOf('OPTIONS http://shop'),
  ]
  for (const head of heads) {
    for (const match of [prefix('/'), exact('/'), prefix('/shop')]) {
      t.equal(takes(match, head), false, head.target)
    }
    t.equal(takes({}, head), true, head.target)
    t.equal(takes({ method: head.methodText }, head), true, head.target)
  }
})

t.test('first match: the path ends where the target does', async (t) => {
  // Behind the target there is a space and a version, and behind the head the next bytes.
  t.equal(takes(prefix('/aaaa'), headOf('GET /aaa')), false)
  t.equal(takes(exact('/before/it'), headOf('GET /before')), false)
})

t.test('first match: methods are told apart, whether or not they have a code', async (t) => {
  const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PATCH', 'PURGE']
  for (const asked of [...methods, 'PURGES', 'PURGF', 'get']) {
    for (const wanted of methods) {
      t.equal(takes({ method: wanted }, headOf(`${asked} /`)), asked === wanted)
    }
  }
})

t.test('first match: headers', async (t) => {
  const wants = (...headers: readonly (readonly [string, string])[]): Partial<RouteMatch> => ({
    headers: headers.map(([name, value]) => ({ name, value })),
  })
  const one = wants(['x-env', 'test'])
  const both = wants(['x-env', 'test'], ['x-user', 'Ann B'])
  const cases: readonly (readonly [match: Partial<RouteMatch>, fields: string[], boolean])[] = [
    [one, [], false],
    [one, ['X-Env: test'], true],
    [one, ['x-ENV:\t test \t'], true],
    [one, ['X-Env: Test'], false],
    [one, ['X-Env: tes'], false],
    [one, ['X-Env: tests'], false],
    [one, ['X-Env:'], false],
    [one, ['X-Envy: test', 'X-En: test'], false],
    [one, ['X-Env: a', 'X-Env: test', 'X-Env: b'], true],
    [one, ['X-Env: a, test'], false],
    [both, ['X-User: Ann B', 'X-Env: test'], true],
    [both, ['X-Env: test'], false],
    [both, ['X-User: Ann B'], false],
    [wants(['host', 'shop']), [], true],
    [wants(['host', 'other']), [], false],
    [wants(['cookie', 'a=1']), ['Cookie: a=1'], true],
  ]
  for (const [match, fields, expected] of cases) {
    t.equal(takes(match, headOf('GET /', fields)), expected, fields.join('; '))
  }
})

t.test('first match: all of a match, any match of a route, the first of the routes', async (t) => {
  const headers = [{ name: 'x-env', value: 'test' }]
  const router = routerOf(
    route('one', { ...prefix('/a'), method: 'POST', headers }, exact('/one')),
    route('two', prefix('/a'), { headers }),
    route('three', exact('/a/b'), { method: 'PUT' }),
    route('four', prefix('/a')),
  )
  const found = (line: string, fields?: string[]): string | undefined =>
    router.find(headOf(line, fields))?.name
  t.equal(found('POST /a/b', ['X-Env: test']), 'one')
  t.equal(found('DELETE /one'), 'one')
  t.equal(found('GET /a/b', ['X-Env: test']), 'two', 'another method')
  t.equal(found('POST /a/b'), 'two', 'no header')
  t.equal(found('POST /b', ['X-Env: test']), 'two', 'another path')
  t.equal(found('GET /a/b'), 'two', 'the first, not the longest')
  t.equal(found('PUT /b'), 'three')
  t.equal(found('GET /b'), undefined)
  t.equal(router.find(headOf('PUT /b')), router.find(headOf('PUT /c')), 'the same object each time')
})

t.test('first match: the rules of the route that was found', async (t) => {
  const rules = { ...DEFAULT_RULES, timeouts: { ...DEFAULT_RULES.timeouts, request: 3000 } }
  const found = routerOf({ ...route('r', {}), rules }).find(headOf('GET /'))
  t.match(found, { name: 'r', timeouts: { request: 3000, perTry: Number.POSITIVE_INFINITY } })
})

t.test('first match: the same as plain text says, for any paths', async (t) => {
  const seed = Number(process.env['FUZZ_SEED'] ?? Math.floor(systemRandom() * 2 ** 32))
  t.comment(`FUZZ_SEED=${seed}`)
  const random = seededRandom(seed)
  const text = (letters: string, most: number): string =>
    Array.from({ length: Math.floor(random() * most) }, () =>
      letters.charAt(Math.floor(random() * letters.length)),
    ).join('')
  const wrong: string[] = []
  for (let round = 0; round < 5000; round += 1) {
    const wanted = `/${text('ab/', 5)}`
    const target = `/${text('ab/?', 7)}`
    const [path = ''] = target.split('?')
    const stem = wanted.endsWith('/') ? wanted.slice(0, -1) : wanted
    const isBelow = path === stem || path.startsWith(`${stem}/`)
    const head = headOf(`GET ${target}`)
    if (takes(prefix(wanted), head) !== isBelow) wrong.push(`prefix ${wanted} ${target}`)
    if (takes(exact(wanted), head) !== (path === wanted)) wrong.push(`exact ${wanted} ${target}`)
  }
  t.same(wrong, [])
})

t.test('first match: finding a route leaves nothing behind for the collector', async (t) => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const headers = [{ name: 'x-env', value: 'test' }]
  const router = routerOf(
    ...Array.from({ length: 8 }, (_, at) => route(`r${at}`, exact(`/r${at}`), { headers })),
    route('purge', { ...prefix('/api'), method: 'PURGE' }),
    route('last', prefix('/api')),
  )
  const heads = ['GET /api/v1/a?b', 'PURGE /api/x', 'GET http://shop/api', 'GET /none'].map(
    (line) => headOf(line, ['X-Env: no', 'Accept: */*', 'Cookie: a=1']),
  )
  const run = (): void => {
    for (let turn = 0; turn < 25_000; turn += 1) {
      for (let at = 0; at < heads.length; at += 1) {
        const head = heads[at]
        if (head === undefined || (router.find(head) === undefined) !== (at === 3))
          throw new Error()
      }
    }
  }
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < 200 && least > 200_000; round += 1) {
    collect()
    const before = process.memoryUsage().heapUsed
    run()
    least = Math.min(least, process.memoryUsage().heapUsed - before)
  }
  // One small object for each of them would be 1.6 MB.
  t.ok(least <= 200_000, `${least} bytes for 100000 requests`)
})
