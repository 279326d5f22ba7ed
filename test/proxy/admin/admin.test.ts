// The admin port over real HTTP on loopback: who may ask, what is answered, and how long it is patient.

import { request } from 'node:http'
import type { Socket } from 'node:net'
import t, { type Test } from 'tap'
import {
  type AdminSubject,
  adminRoutes,
  publicRoutes,
} from '../../../src/proxy/admin/admin-routes.ts'
import { AdminServer, type Routes, text } from '../../../src/proxy/admin/admin-server.ts'
import { RoundRobin } from '../../../src/proxy/balance/round-robin.ts'
import { RouteTable } from '../../../src/proxy/route/route-table.ts'
import { Destination } from '../../../src/proxy/stack/destination.ts'
import type { BreakerView } from '../../../src/proxy/stack/health.ts'
import { dial, until } from '../../support/tcp.ts'
import { endpointsOf } from '../balance/fixture.ts'

class Subject implements AdminSubject {
  readonly configuration: unknown = { egress: 'allow' }
  readonly routes: { table: RouteTable } = { table: new RouteTable() }
  readonly commands: string[] = []
  reason = ''
  current: 'l4' | 'l7' = 'l7'

  whyNotReady(): string {
    return this.reason
  }

  async metrics(): Promise<{ type: string; body: string }> {
    return Promise.resolve({ type: 'text/plain; version=0.0.4', body: 'up 1\n' })
  }

  now(): number {
    return 5000
  }

  mode(): 'l4' | 'l7' {
    return this.current
  }

  setMode(mode: 'l4' | 'l7'): void {
    this.current = mode
  }

  drain(): void {
    this.commands.push('drain')
  }

  quit(): void {
    this.commands.push('quit')
  }
}

interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

async function ask(
  port: number,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body = '',
): Promise<Reply> {
  return await new Promise((resolve, reject) => {
    const asked = request({ port, host: '127.0.0.1', method, path, headers, agent: false })
    asked.on('error', reject)
    asked.on('response', (response) => {
      let heard = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        heard += chunk
      })
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: heard })
      })
    })
    asked.end(body)
  })
}

async function serve(t: Test, routes: Routes, anyHost = false, patience?: number): Promise<number> {
  const server = new AdminServer(routes, anyHost, patience)
  const { port } = await server.listen({ ip: '127.0.0.1', port: 0 })
  t.teardown(() => {
    server.close()
  })
  return port
}

t.test('admin: alive always, ready when it is', async (t) => {
  const subject = new Subject()
  const port = await serve(t, adminRoutes(subject))
  t.match(await ask(port, 'GET', '/ready'), { status: 200, body: 'ready\n' })
  subject.reason = 'draining'
  t.match(await ask(port, 'GET', '/ready'), { status: 503, body: 'not ready: draining\n' })
  t.match(await ask(port, 'GET', '/live'), { status: 200, body: 'live\n' })
})

t.test('admin: HEAD is GET without the body', async (t) => {
  const port = await serve(t, adminRoutes(new Subject()))
  const head = await ask(port, 'HEAD', '/live')
  t.match(head, { status: 200, body: '', headers: { 'content-length': '5' } })
})

t.test('admin: what it does not know, and how it may be asked', async (t) => {
  const port = await serve(t, adminRoutes(new Subject()))
  t.match(await ask(port, 'GET', '/nothing'), { status: 404, body: /GET \/ready/ })
  t.match(await ask(port, 'GET', '/constructor'), { status: 404 })
  t.match(await ask(port, 'POST', '/ready'), { status: 405, headers: { allow: 'GET, HEAD' } })
  t.match(await ask(port, 'GET', '/quit'), { status: 405, headers: { allow: 'POST' } })
  t.match(await ask(port, 'HEAD', '/mode'), { status: 200 })
  t.match(await ask(port, 'POST', '/mode'), { status: 405, headers: { allow: 'GET, HEAD, PUT' } })
})

t.test('admin: commands reach the proxy, and nothing else does', async (t) => {
  const subject = new Subject()
  const port = await serve(t, adminRoutes(subject))
  t.match(await ask(port, 'POST', '/drain'), { status: 202 })
  t.match(await ask(port, 'POST', '/quit'), { status: 202 })
  await ask(port, 'GET', '/drain')
  await ask(port, 'PUT', '/quit')
  t.same(subject.commands, ['drain', 'quit'])
})

t.test('admin: the mode can be asked for and changed', async (t) => {
  const port = await serve(t, adminRoutes(new Subject()))
  t.match(await ask(port, 'GET', '/mode'), { status: 200, body: 'l7\n' })
  t.match(await ask(port, 'PUT', '/mode?to=l4'), { status: 200, body: 'mode is l4\n' })
  t.match(await ask(port, 'GET', '/mode'), { status: 200, body: 'l4\n' })
  t.match(await ask(port, 'PUT', '/mode?to=l7'), { status: 200, body: 'mode is l7\n' })
  t.match(await ask(port, 'PUT', '/mode?to=x'), { status: 400 })
  t.match(await ask(port, 'PUT', '/mode'), { status: 400 })
})

t.test('admin: a name that resolves to loopback does not open it', async (t) => {
  const subject = new Subject()
  const port = await serve(t, adminRoutes(subject))
  const hosts = ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', '10.0.0.1']
  for (const host of hosts) {
    t.equal((await ask(port, 'POST', '/quit', { host })).status, 421, `"${host}"`)
  }
  t.same(subject.commands, [])
  for (const host of ['localhost', `127.0.0.1:${port}`, '127.9.9.9', '[::1]', `[::1]:${port}`]) {
    t.equal((await ask(port, 'GET', '/live', { host })).status, 200, host)
  }
})

t.test('admin: a web page cannot command it', async (t) => {
  const subject = new Subject()
  const port = await serve(t, adminRoutes(subject))
  // What a browser sends without asking first: a form that another site's page has submitted.
  const headers = { origin: 'https://evil.example', 'content-type': 'text/plain' }
  t.match(await ask(port, 'POST', '/quit', headers), { status: 403 })
  t.match(await ask(port, 'POST', '/quit', { origin: 'null' }), { status: 403 })
  t.same(subject.commands, [])
})

t.test('admin: the metrics port answers to every name, and has the harmless half', async (t) => {
  const subject = new Subject()
  const port = await serve(t, publicRoutes(subject), true)
  const host = 'shop-1.default.svc:15020'
  t.match(await ask(port, 'GET', '/metrics', { host }), {
    ...{ status: 200, body: 'up 1\n', headers: { 'content-type': 'text/plain; version=0.0.4' } },
  })
  for (const path of ['/config', '/endpoints', '/drain', '/quit', '/mode']) {
    for (const method of ['GET', 'POST', 'PUT']) {
      t.equal((await ask(port, method, path, { host })).status, 404, `${method} ${path}`)
    }
  }
  t.same(subject.commands, [])
})

t.test('admin: configuration and endpoints are shown as they are', async (t) => {
  const subject = new Subject()
  const endpoints = endpointsOf(1, 3)
  endpoints[0]?.connectFailed(4500)
  const destination = new Destination(
    'outbound',
    'shop.default:80',
    new RoundRobin(endpoints, () => 0),
    {
      ...{ connectTimeout: 1, idleTimeout: 1 },
    },
  )
  destination.open = 7
  destination.active = 5
  destination.retrying = 2
  destination.maxRetries = 3
  destination.retryBudget = { earn: () => undefined, spend: () => true, left: (now) => now }
  subject.routes.table = new RouteTable(new Map(), new Map([['shop.default:80', destination]]))
  const port = await serve(t, adminRoutes(subject))
  const config = await ask(port, 'GET', '/config?all=1')
  t.match(config.headers, { 'content-type': 'application/json', 'cache-control': 'no-store' })
  t.same(JSON.parse(config.body), { egress: 'allow' })
  const known = { open: 0, connectFailuresInARow: 0, avoidedForMilliseconds: 0 }
  t.same(JSON.parse((await ask(port, 'GET', '/endpoints')).body), [
    {
      service: 'shop.default:80',
      open: 7,
      ...{ activeRequests: 5, retryingRequests: 2, retryBudgetLeft: 5000 },
      ...{ maxPendingRequests: 1024, maxRetries: 3 },
      endpoints: [
        ...[{ address: '10.1.0.1:80', weight: 1, ...known }],
        ...[{ address: '10.1.0.2:80', weight: 3, ...known }],
      ].map((endpoint, at) =>
        at === 0
          ? { ...endpoint, connectFailuresInARow: 1, avoidedForMilliseconds: 500 }
          : endpoint,
      ),
    },
  ])
})

t.test('admin: breakers are shown where a policy ejects endpoints', async (t) => {
  const subject = new Subject()
  const endpoints = endpointsOf(1, 1)
  const rules = { connectTimeout: 1, idleTimeout: 1 }
  const picker = new RoundRobin(endpoints, () => 0)
  const destination = new Destination('outbound', 'shop.default:80', picker, rules)
  const views: readonly BreakerView[] = [
    {
      ...{ state: 'open', consecutiveFailures: 5, successRate: 0.123456, ejections: 2 },
      ejectedFor: 1234.5,
    },
    {
      ...{ state: 'closed', consecutiveFailures: 0, successRate: NaN, ejections: 0 },
      ejectedFor: 0,
    },
  ]
  const nothing = (): undefined => undefined
  destination.health = {
    ...{ isPanicking: true, isRamping: false, failsFast: false, ejected: 1 },
    ...{ chosen: nothing, answered: nothing, concluded: nothing, failed: nothing },
    ...{ left: nothing, sweep: nothing },
    view: (endpoint, now) => {
      t.equal(now, 5000)
      const view = views[endpoints.indexOf(endpoint)]
      if (view === undefined) throw new Error()
      return view
    },
  }
  subject.routes.table = new RouteTable(new Map(), new Map([['shop.default:80', destination]]))
  const port = await serve(t, adminRoutes(subject))
  const shown = { ejectedForMilliseconds: 0, consecutiveFailures: 0, ejections: 0 }
  t.match(JSON.parse((await ask(port, 'GET', '/endpoints')).body), [
    {
      ...{ service: 'shop.default:80', panicking: true, ejected: 1 },
      endpoints: [
        {
          address: '10.1.0.1:80',
          breaker: {
            ...{ state: 'open', consecutiveFailures: 5, successRate: 0.123, ejections: 2 },
            ejectedForMilliseconds: 1235,
          },
        },
        { address: '10.1.0.2:80', breaker: { ...shown, state: 'closed', successRate: null } },
      ],
    },
  ])
})

t.test('admin: an answer that cannot be made is a 500', async (t) => {
  const port = await serve(t, {
    'GET /thrown': () => {
      throw new Error('no such luck')
    },
    'GET /rejected': async () => await Promise.reject(new Error('later')),
    'GET /fine': () => text('fine'),
  })
  t.match(await ask(port, 'GET', '/thrown'), { status: 500, body: 'no such luck\n' })
  t.match(await ask(port, 'GET', '/rejected'), { status: 500, body: 'later\n' })
  t.match(await ask(port, 'GET', '/fine'), { status: 200 })
})

t.test('admin: large requests are refused or not kept', async (t) => {
  const port = await serve(t, adminRoutes(new Subject()))
  const before = process.memoryUsage().arrayBuffers
  t.equal((await ask(port, 'GET', '/live', { 'x-large': 'x'.repeat(9000) })).status, 431)
  t.equal((await ask(port, 'GET', `/live?${'x'.repeat(9000)}`)).status, 431)
  t.equal((await ask(port, 'POST', '/drain', {}, 'x'.repeat(5_000_000))).status, 202)
  t.ok(process.memoryUsage().arrayBuffers - before < 20e6)
})

t.test('admin: who is slow is let go, so that probes find a place', async (t) => {
  const port = await serve(t, adminRoutes(new Subject()), false, 100)
  const slow: Socket[] = []
  for (const start of [
    '',
    'GET /live HTTP/1.1\r\nHost: localhost\r\nX-',
    'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n',
  ]) {
    const socket = await dial(port)
    socket.on('error', () => undefined)
    socket.resume()
    socket.on('end', () => socket.end())
    socket.write(start)
    slow.push(socket)
  }
  await until('all of them are closed', () => slow.every(({ destroyed }) => destroyed), 5000)
  t.equal((await ask(port, 'GET', '/live')).status, 200)
})
