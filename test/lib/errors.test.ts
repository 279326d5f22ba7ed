import t from 'tap'
import { ERRORS, MeshError } from '../../src/lib/errors.ts'
import { GRPC_NAMES, GrpcStatus } from '../../src/lib/grpc-status.ts'

/** The error types of RFC 9209 section 2.3, as registered with IANA. */
const REGISTERED: ReadonlySet<string> = new Set([
  ...['dns_timeout', 'dns_error', 'destination_not_found', 'destination_unavailable'],
  ...['destination_ip_prohibited', 'destination_ip_unroutable', 'connection_refused'],
  ...['connection_terminated', 'connection_timeout', 'connection_read_timeout'],
  ...['connection_write_timeout', 'connection_limit_reached', 'tls_protocol_error'],
  ...['tls_certificate_error', 'tls_alert_received', 'http_request_error', 'http_request_denied'],
  ...['http_response_incomplete', 'http_response_header_section_size'],
  ...['http_response_header_size', 'http_response_body_size'],
  ...['http_response_trailer_section_size', 'http_response_trailer_size'],
  ...['http_response_transfer_coding', 'http_response_content_coding', 'http_response_timeout'],
  ...['http_upgrade_failed', 'http_protocol_error', 'proxy_internal_response'],
  ...['proxy_internal_error', 'proxy_configuration_error', 'proxy_loop_detected'],
])

t.test('errors: every code has an error type that RFC 9209 knows', async (t) => {
  for (const [code, { proxyStatus }] of Object.entries(ERRORS)) {
    t.ok(REGISTERED.has(proxyStatus), `${code}: ${proxyStatus}`)
  }
})

t.test('errors: codes are words with hyphens, titles are one clause each', async (t) => {
  for (const [code, { title }] of Object.entries(ERRORS)) {
    t.match(code, /^[a-z][a-z0-9]*(-[a-z]+)*$/)
    t.notMatch(title, /\.$|\n|^[A-Z]/, code)
  }
  const titles = Object.values(ERRORS).map(({ title }) => title)
  t.equal(new Set(titles).size, titles.length, 'no two of them say the same')
})

t.test('errors: only what failed before a byte moved may be tried elsewhere', async (t) => {
  const retriable = Object.entries(ERRORS).filter(([, kind]) => kind.retriable)
  t.same(
    retriable.map(([code]) => code),
    [
      'endpoint-refused',
      'endpoint-timeout',
      'endpoint-unreachable',
      'endpoint-reset',
      'connect-failed',
    ],
  )
})

t.test('errors: what clients of gRPC are told', async (t) => {
  const { unavailable, deadlineExceeded, permissionDenied } = GrpcStatus
  for (const [code, { grpc, retriable, proxyStatus }] of Object.entries(ERRORS)) {
    t.ok(GRPC_NAMES[grpc], code)
    t.not(grpc, GrpcStatus.ok, code)
    if (retriable) t.equal(grpc, unavailable, `${code} may be tried again`)
    if (proxyStatus === 'http_response_timeout') t.equal(grpc, deadlineExceeded, code)
  }
  for (const limit of ['connection-limit', 'pending-limit', 'request-limit', 'overloaded'] as const)
    t.equal(ERRORS[limit].grpc, unavailable, limit)
  for (const nobody of [
    'no-endpoints',
    'circuit-open',
    'stream-refused',
    'upstream-reset',
  ] as const)
    t.equal(ERRORS[nobody].grpc, unavailable, nobody)
  t.equal(ERRORS['egress-denied'].grpc, permissionDenied)
})

t.test('errors: a failure says what, where and why, without a stack', async (t) => {
  const limit = Error.stackTraceLimit
  const cause = new Error('EADDRINUSE')
  const error = new MeshError('configuration-invalid', { key: 'admin', port: 15_000 }, cause)
  t.equal(
    error.message,
    'configuration-invalid: the configuration or command line was refused' +
      ' (key=admin, port=15000, cause=EADDRINUSE)',
  )
  t.equal(new MeshError('no-endpoints').message, 'no-endpoints: the service has no ready endpoint')
  t.equal(error.cause, cause)
  t.equal(error.kind, ERRORS['configuration-invalid'])
  t.notMatch(error.stack ?? '', /\n\s+at /)
  t.ok(cause.stack?.includes('\n'), 'the cause keeps its own')
  t.equal(Error.stackTraceLimit, limit)
})

t.test('errors: whatever is thrown becomes one of ours', async (t) => {
  const known = new MeshError('proxy-loop')
  t.equal(MeshError.from(known), known)
  const defect = new TypeError('x is undefined')
  t.match(MeshError.from(defect), { code: 'internal', cause: defect })
  t.match(MeshError.from('a string'), { code: 'internal', cause: 'a string' })
})
