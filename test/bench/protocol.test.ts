// What clients and servers say to each other, and what a target is told.

import t from 'tap'
import { CATALOG } from '../../bench/catalog.ts'
import type { Wires } from '../../bench/mode.ts'
import {
  ANSWER,
  ANSWER_BODY,
  decodeNumber,
  encodeCount,
  encodeOrder,
  matchesPattern,
  ORDER_BYTES,
  ORDERS,
  PATTERN,
  patternAt,
} from '../../bench/protocol.ts'
import { divideCores, type Means, parseCores } from '../../bench/stage.ts'
import { haproxyConfig } from '../../bench/targets/haproxy.ts'
import { nginxConfig } from '../../bench/targets/nginx-config.ts'
import { HTTP2, speaking } from '../../bench/targets/target.ts'
import { manifests, underpassConfig } from '../../bench/targets/underpass.ts'

t.test('protocol: the answer has a body of 37 bytes', async (t) => {
  t.equal(ANSWER_BODY.length, 37)
  t.ok(ANSWER.toString().endsWith(`Content-Length: 37\r\n\r\n${ANSWER_BODY}`))
})

t.test('protocol: orders and counts carry numbers beyond 32 bits', async (t) => {
  const order = encodeOrder(ORDERS.upload, 5_000_000_000)
  t.equal(order.length, ORDER_BYTES)
  t.equal(order[0], ORDERS.upload)
  t.equal(decodeNumber(order), 5_000_000_000)
  t.equal(decodeNumber(encodeCount(2 ** 40 + 1)), 2 ** 40 + 1)
})

t.test('protocol: pieces of the pattern follow each other, around its end too', async (t) => {
  const near = PATTERN.length - 10
  const piece = patternAt(near, 100)
  t.equal(piece.length, 10)
  const both = Buffer.concat([piece, patternAt(near + 10, 90)])
  t.equal(both.length, 100)
  t.ok(matchesPattern(both, near))
  t.ok(matchesPattern(both, near + PATTERN.length * 7))
})

t.test('protocol: one wrong, missing or doubled byte is seen', async (t) => {
  const bytes = Buffer.from(PATTERN.subarray(1000, 2000))
  t.ok(matchesPattern(bytes, 1000))
  t.notOk(matchesPattern(bytes, 1001), 'a byte is missing before')
  t.notOk(matchesPattern(bytes, 999), 'a byte was doubled before')
  bytes[999] = (bytes[999] ?? 0) ^ 1
  t.notOk(matchesPattern(bytes, 1000))
})

t.test('stage: lists of cores', async (t) => {
  t.same(parseCores(': '), [])
  t.same(parseCores(': 0-2,5\n'), [0, 1, 2, 5])
  t.same(parseCores('3'), [3])
})

t.test(
  'stage: the proxy has the last cores, and nothing is pinned without one for the load',
  async (t) => {
    const means = (cores?: readonly number[]): Means => ({ files: 1000, cores })
    t.same(divideCores(means([0, 1]), 1), { load: '0', proxy: '1' })
    t.same(divideCores(means([0, 1, 4, 5]), 2), { load: '0,1', proxy: '4,5' })
    t.equal(divideCores(means([0, 1]), 2), undefined)
    t.equal(divideCores(means(), 1), undefined)
  },
)

t.test('targets: peers get one thread and no more connections than files', async (t) => {
  const haproxy = haproxyConfig('l4', 81, 82, 20_000)
  t.match(haproxy, /nbthread 1\n/)
  t.match(haproxy, /mode tcp\n/)
  t.match(haproxy, /maxconn 9950\n/)
  t.match(haproxy, /bind 127\.0\.0\.1:81 /)
  t.match(haproxy, /server backend 127\.0\.0\.1:82\n/)
  const nginx = nginxConfig('l4', 81, 82, 20_000, { stream: undefined, temporary: [] })
  t.match(nginx, /^daemon off;\nworker_processes 1;\n/)
  t.match(nginx, /worker_connections 19900;/)
  t.match(
    nginxConfig('l4', 81, 82, 20_000, { stream: '/lib/x.so', temporary: [] }),
    /^load_module \/lib\/x\.so;\n/,
  )
})

t.test('targets: at L7 all keep connections alive on both sides', async (t) => {
  const haproxy = haproxyConfig('l7', 81, 82, 20_000)
  t.match(haproxy, /mode http\n {2}timeout/)
  t.match(haproxy, /http-reuse always\n/)
  const nginx = nginxConfig('l7', 81, 82, 20_000, { stream: undefined, temporary: ['proxy'] })
  t.match(nginx, /proxy_temp_path proxy;/)
  t.match(nginx, /proxy_http_version 1\.1;/)
  t.match(nginx, /proxy_set_header Connection "";/)
  t.match(nginx, /listen 127\.0\.0\.1:81 /)
  t.match(nginx, /server 127\.0\.0\.1:82;\n {4}keepalive \d+;/)
  t.notMatch(nginx, /^stream/m)
  const place = { backend: 82, port: 81, admin: 83, folder: '/m' }
  t.match(underpassConfig({ mode: 'l7', workers: 2 }, place), /^mode: l7\nworkers: 2\nadmin/)
})

t.test('targets: HTTP/2 is spoken where it is asked for, and known beforehand', async (t) => {
  const toClient = { client: 'http2', server: 'http1' } as const
  const toServer = { client: 'http1', server: 'http2' } as const
  const bind = /bind 127\.0\.0\.1:81 backlog 4096 proto h2\n/
  const server = /server backend 127\.0\.0\.1:82 proto h2\n/
  const both = haproxyConfig('h2', 81, 82, 20_000, HTTP2)
  t.match(both, bind)
  t.match(both, server)
  t.match(both, /mode http\n/)
  t.match(both, /tune\.h2\.max-concurrent-streams 1000\n/)
  t.notMatch(haproxyConfig('h2', 81, 82, 20_000, toClient), server)
  t.notMatch(haproxyConfig('h2', 81, 82, 20_000, toServer), bind)
  const parts = { stream: undefined, temporary: ['proxy'] }
  t.match(nginxConfig('h2', 81, 82, 20_000, parts, toClient), /listen 127\.0\.0\.1:81 http2 /)
  t.match(manifests(82, toClient), /protocol: TCP, appProtocol: http }/)
  t.match(manifests(82, toServer), /protocol: TCP, appProtocol: kubernetes\.io\/h2c }/)
  t.notMatch(manifests(82), /appProtocol/)
  const place = { backend: 82, port: 81, admin: 83, folder: '/m' }
  t.match(underpassConfig({ mode: 'h2', workers: 1 }, place), /^mode: l7\n/)
})

t.test('targets: each is asked only what it can speak', async (t) => {
  const names = (wires: Wires): string[] =>
    speaking(CATALOG.h2.targets, wires).map(({ name }) => name)
  t.same(names(HTTP2), ['direct', 'underpass', 'haproxy', 'node:http2'])
  t.same(names({ client: 'http1', server: 'http2' }), ['underpass', 'haproxy'])
  t.same(names({ client: 'http2', server: 'http1' }), ['underpass', 'haproxy', 'nginx'])
})
