// What clients and servers say to each other, and what a target is told.

import t from 'tap'
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
import { parseCores } from '../../bench/stage.ts'
import { haproxyConfig } from '../../bench/targets/haproxy.ts'
import { nginxConfig } from '../../bench/targets/nginx.ts'

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

t.test('targets: peers get one thread and no more connections than files', async (t) => {
  const haproxy = haproxyConfig(81, 82, 20_000)
  t.match(haproxy, /nbthread 1\n/)
  t.match(haproxy, /maxconn 9950\n/)
  t.match(haproxy, /bind 127\.0\.0\.1:81 /)
  t.match(haproxy, /server backend 127\.0\.0\.1:82\n/)
  const nginx = nginxConfig(81, 82, 20_000, undefined)
  t.match(nginx, /^daemon off;\nworker_processes 1;\n/)
  t.match(nginx, /worker_connections 19900;/)
  t.match(nginxConfig(81, 82, 20_000, '/lib/x.so'), /^load_module \/lib\/x\.so;\n/)
})
