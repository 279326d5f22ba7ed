// The answer to a call that failed, and that the sidecar before us understands it.

import t from 'tap'
import { ERRORS, type ErrorCode } from '../../../src/lib/errors.ts'
import { GrpcStatus } from '../../../src/lib/grpc-status.ts'
import { GRPC_CONTENT_TYPE, grpcAnswer } from '../../../src/proxy/downstream/grpc-answer.ts'
import { Event } from '../../../src/proxy/http/h1/event.ts'
import { ResponseReader } from '../../../src/proxy/http/h1/response-reader.ts'
import { Asked } from '../../../src/proxy/http/h1/response-rules.ts'
import { DEFAULT_LIMITS } from '../../../src/proxy/http/limits.ts'
import { grpcStatusOf, isGrpc } from '../../../src/proxy/stack/grpc.ts'
import { reportedError, toldError } from '../../../src/proxy/stack/proxy-status.ts'

const NEXT_HOP = '198.18.0.3:8080'
const CODES = Object.keys(ERRORS) as ErrorCode[]

t.test('grpc answer: the parts of it', async (t) => {
  t.same(grpcAnswer('no-endpoints', 503, '', ''), {
    code: GrpcStatus.unavailable,
    message: 'no-endpoints: the service has no ready endpoint',
    proxyStatus: 'underpass; error=destination_unavailable; details="no-endpoints"',
  })
  t.same(grpcAnswer('endpoint-refused', 502, 'ü\n100 %', NEXT_HOP), {
    code: GrpcStatus.unavailable,
    message: 'endpoint-refused: the endpoint refused the connection (%C3%BC%0A100 %25)',
    proxyStatus:
      'underpass; error=connection_refused; details="endpoint-refused: ??100 %"; next-hop="198.18.0.3:8080"',
  })
  t.equal(grpcAnswer('fault-injected', 429, '', '').code, GrpcStatus.unavailable)
  t.equal(grpcAnswer('fault-injected', 404, '', '').code, GrpcStatus.unimplemented)
})

t.test('grpc answer: it is bounded, and can stand in a head, whatever the details', async (t) => {
  for (const error of CODES) {
    for (const details of ['', 'x'.repeat(70_000), '😀'.repeat(70_000), '\0\r\n"\\%']) {
      const { message, proxyStatus } = grpcAnswer(error, ERRORS[error].status, details, NEXT_HOP)
      t.match(message, /^[ -~]+$/)
      t.ok(message.length < 2000, `${message.length}`)
      t.match(proxyStatus, /^[ -~]+$/)
    }
  }
})

t.test('grpc answer: it comes back as the error that it was', async (t) => {
  const reported: ErrorCode[] = []
  for (const error of CODES) {
    const answer = grpcAnswer(error, ERRORS[error].status, 'details; "quoted"', NEXT_HOP)
    const lines = [
      ...['HTTP/1.1 200 ', `Content-Type: ${GRPC_CONTENT_TYPE}`, `Grpc-Status: ${answer.code}`],
      ...[`Grpc-Message: ${answer.message}`, `Proxy-Status: ${answer.proxyStatus}`],
      ...['Content-Length: 0', '', ''],
    ]
    const reader = new ResponseReader(DEFAULT_LIMITS)
    reader.expect(Asked.nothing)
    const bytes = Buffer.from(lines.join('\r\n'), 'latin1')
    t.equal(reader.read(bytes, 0, bytes.length), Event.head)
    t.ok(isGrpc(reader.head))
    t.equal(grpcStatusOf(reader.head), ERRORS[error].grpc)
    t.equal(toldError(reader.head), error)
    if (reportedError(reader.head, NEXT_HOP, true) === error) reported.push(error)
    t.equal(
      reportedError(reader.head, NEXT_HOP, false),
      undefined,
      'who asked in HTTP is not told so',
    )
    t.equal(reportedError(reader.head, '198.18.0.4:8080', true), undefined)
  }
  t.same(reported, [
    ...['endpoint-refused', 'endpoint-timeout', 'endpoint-unreachable', 'connect-failed'],
    ...['upstream-reset', 'stream-refused', 'overloaded'],
  ])
})
