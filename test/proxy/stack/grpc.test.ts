// What is read of a call's heads and trailers, to the letter of gRPC over HTTP/2.

import t from 'tap'
import { GRPC_NAMES, GrpcStatus, grpcName } from '../../../src/lib/grpc-status.ts'
import { Event } from '../../../src/proxy/http/h1/event.ts'
import { ResponseReader } from '../../../src/proxy/http/h1/response-reader.ts'
import { Asked } from '../../../src/proxy/http/h1/response-rules.ts'
import type { Head } from '../../../src/proxy/http/head.ts'
import { DEFAULT_LIMITS } from '../../../src/proxy/http/limits.ts'
import { NO_GRPC_STATUS } from '../../../src/proxy/stack/exchange.ts'
import {
  awaitsGrpcStatus,
  grpcMessage,
  grpcStatusAtEnd,
  grpcStatusAtHead,
  grpcStatusOf,
  grpcStatusOfError,
  grpcStatusOfHttp,
  isGrpc,
  isServerFailure,
} from '../../../src/proxy/stack/grpc.ts'

function head(...fields: readonly string[]): Head {
  const text = ['HTTP/1.1 200 OK', 'X-A: b', ...fields, 'Content-Length: 0', '', ''].join('\r\n')
  const reader = new ResponseReader(DEFAULT_LIMITS)
  reader.expect(Asked.nothing)
  const bytes = Buffer.from(`before${text}after`, 'latin1')
  if (reader.read(bytes, 6, bytes.length) !== Event.head) throw new Error(`refused: ${text}`)
  return reader.head
}

t.test('grpc: calls by their type', async (t) => {
  for (const type of [
    ...['application/grpc', 'Application/GRPC', 'application/grpc+proto', 'application/grpc+json'],
    ...['application/grpc;charset=utf-8', 'application/grpc ; a=b', 'application/grpc\t;a'],
  ]) {
    t.ok(isGrpc(head(`content-type: ${type}`)), type)
  }
  for (const type of [
    ...['application/grpc-web', 'application/grpc-web+proto', 'application/grpc-web-text'],
    ...['application/grp', 'application/grpcx', 'application/json', 'text/application/grpc', ''],
  ]) {
    t.notOk(isGrpc(head(`content-type: ${type}`)), type)
  }
  t.notOk(isGrpc(head()), 'without a type')
  const both = head('content-type: application/grpc', 'content-type: application/grpc')
  t.notOk(isGrpc(both), 'with two')
})

t.test('grpc: the status of a head or of trailers', async (t) => {
  for (let code = 0; code <= 16; code += 1)
    t.equal(grpcStatusOf(head(`grpc-status: ${code}`)), code)
  t.equal(grpcStatusOf(head('Grpc-Status:  14\t')), 14)
  t.equal(grpcStatusOf(head('grpc-status: 007')), 7)
  t.equal(grpcStatusOf(head('grpc-statu: 7', 'xgrpc-status: 7', 'grpc-status-: 7')), NO_GRPC_STATUS)
  for (const wrong of ['', '17', '99', '-1', '+1', '1.0', '1 4', 'OK', '0x1', '٣', '1e1']) {
    t.equal(grpcStatusOf(head(`grpc-status: ${wrong}`)), GrpcStatus.unknown, `"${wrong}"`)
  }
  t.equal(grpcStatusOf(head(`grpc-status: ${'9'.repeat(400)}`)), GrpcStatus.unknown)
  t.equal(grpcStatusOf(head('grpc-status: 0', 'grpc-status: 0')), GrpcStatus.unknown, 'twice')
})

t.test('grpc: names of the codes', async (t) => {
  t.equal(GRPC_NAMES.length, 17)
  t.same([0, 1, 4, 8, 14, 16, 17, -1].map(grpcName), [
    ...['OK', 'CANCELLED', 'DEADLINE_EXCEEDED', 'RESOURCE_EXHAUSTED', 'UNAVAILABLE'],
    ...['UNAUTHENTICATED', 'UNKNOWN', 'UNKNOWN'],
  ])
})

t.test('grpc: what a status of HTTP stands for', async (t) => {
  const mapped = [200, 301, 400, 401, 403, 404, 408, 429, 431, 500, 501, 502, 503, 504, 505]
  t.same(
    mapped.map((status) => `${status} ${grpcName(grpcStatusOfHttp(status))}`),
    [
      ...['200 UNKNOWN', '301 UNKNOWN', '400 INTERNAL', '401 UNAUTHENTICATED'],
      ...['403 PERMISSION_DENIED', '404 UNIMPLEMENTED', '408 UNKNOWN', '429 UNAVAILABLE'],
      ...['431 UNKNOWN', '500 UNKNOWN', '501 UNKNOWN', '502 UNAVAILABLE', '503 UNAVAILABLE'],
      ...['504 UNAVAILABLE', '505 UNKNOWN'],
    ],
  )
})

t.test('grpc: how a call has ended, as far as is known', async (t) => {
  const at = (status: number, grpcStatus = NO_GRPC_STATUS): readonly unknown[] => {
    const call = { status, grpcStatus, isGrpc: true }
    return [grpcStatusAtHead(call), grpcStatusAtEnd(call), awaitsGrpcStatus(call)]
  }
  t.same(at(200), [NO_GRPC_STATUS, GrpcStatus.unknown, true])
  t.same(at(200, 0), [0, 0, false])
  t.same(at(200, 14), [14, 14, false])
  t.same(at(503), [14, 14, false])
  t.same(at(404), [12, 12, false])
  t.same(at(503, 0), [0, 0, false], 'its own word goes before the mapping')
  t.notOk(awaitsGrpcStatus({ status: 200, grpcStatus: NO_GRPC_STATUS, isGrpc: false }))
  t.same(
    GRPC_NAMES.filter((_, code) => isServerFailure(code)),
    ['UNKNOWN', 'DEADLINE_EXCEEDED', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS'],
  )
  t.notOk(isServerFailure(NO_GRPC_STATUS))
})

t.test('grpc: the code of an error, and of a fault that a policy names', async (t) => {
  t.equal(grpcStatusOfError('no-endpoints', 503), GrpcStatus.unavailable)
  t.equal(grpcStatusOfError('deadline-exceeded', 504), GrpcStatus.deadlineExceeded)
  t.equal(grpcStatusOfError('request-refused', 431), GrpcStatus.internal)
  t.equal(grpcStatusOfError('fault-injected', 503), GrpcStatus.unavailable)
  t.equal(grpcStatusOfError('fault-injected', 403), GrpcStatus.permissionDenied)
  t.equal(grpcStatusOfError('fault-injected', 418), GrpcStatus.unknown)
})

t.test('grpc: a message is percent-encoded', async (t) => {
  t.equal(grpcMessage('plain ~ text: "quoted", (1)'), 'plain ~ text: "quoted", (1)')
  t.equal(grpcMessage('100 %'), '100 %25')
  t.equal(grpcMessage('a\r\nb\0\x7f\t'), 'a%0D%0Ab%00%7F%09')
  t.equal(grpcMessage('ü\u2026😀'), '%C3%BC%E2%80%A6%F0%9F%98%80')
  t.equal(grpcMessage('\ud800'), '%EF%BF%BD', 'half of a pair')
  for (const text of ['ü 100 % \n 😀', '', 'ab%20']) {
    t.equal(decodeURIComponent(grpcMessage(text)), text)
    t.match(grpcMessage(text), /^[ -~]*$/)
  }
})
