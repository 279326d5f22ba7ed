// What one sidecar says of an error is understood by the next one, and nobody else's words are.

import t from 'tap'
import { ERRORS, type ErrorCode } from '../../../src/lib/errors.ts'
import { Event } from '../../../src/proxy/http/h1/event.ts'
import { ResponseReader } from '../../../src/proxy/http/h1/response-reader.ts'
import { Asked } from '../../../src/proxy/http/h1/response-rules.ts'
import { DEFAULT_LIMITS } from '../../../src/proxy/http/limits.ts'
import { proxyStatus, reportedError } from '../../../src/proxy/stack/proxy-status.ts'

const NEXT_HOP = '198.18.0.3:8080'

function reported(
  status: number,
  value: string | undefined,
  key = NEXT_HOP,
): ErrorCode | undefined {
  const reader = new ResponseReader(DEFAULT_LIMITS)
  reader.expect(Asked.nothing)
  const field = value === undefined ? '' : `Proxy-Status: ${value}\r\n`
  const bytes = Buffer.from(`HTTP/1.1 ${status} Text\r\n${field}Content-Length: 0\r\n\r\n`)
  if (reader.read(bytes, 0, bytes.length) !== Event.head) throw new Error('no head')
  return reportedError(reader.head, key, false)
}

t.test('proxy status: the value', async (t) => {
  t.equal(
    proxyStatus('no-endpoints', '', ''),
    'underpass; error=destination_unavailable; details="no-endpoints"',
  )
  t.equal(
    proxyStatus('endpoint-refused', 'a "b" \\ ü', NEXT_HOP),
    'underpass; error=connection_refused; details="endpoint-refused: a \\"b\\" \\\\ ?"; next-hop="198.18.0.3:8080"',
  )
})

t.test('proxy status: what happened beyond the next sidecar is understood', async (t) => {
  const understood: ErrorCode[] = [
    'endpoint-refused',
    'endpoint-timeout',
    'endpoint-unreachable',
    'connect-failed',
    'upstream-reset',
    'overloaded',
  ]
  for (const error of understood) {
    const value = proxyStatus(error, 'details; next-hop="198.18.0.9:1"', NEXT_HOP)
    t.equal(reported(ERRORS[error].status, value), error, error)
  }
  const others = [
    'request-refused',
    'response-refused',
    'connection-limit',
    'no-endpoints',
  ] as const
  for (const error of [...others, 'deadline-unmeetable', 'endpoint-reset'] as const) {
    t.equal(reported(ERRORS[error].status, proxyStatus(error, '', NEXT_HOP)), undefined, error)
  }
})

t.test('proxy status: what an application passes on or makes up is not', async (t) => {
  const value = proxyStatus('endpoint-refused', NEXT_HOP, NEXT_HOP)
  t.equal(reported(502, value), 'endpoint-refused')
  t.equal(reported(502, undefined), undefined)
  t.equal(reported(502, value, '198.18.0.4:8080'), undefined, 'of another endpoint')
  t.equal(reported(502, value, '98.18.0.3:8080'), undefined, 'of one with a shorter address')
  t.equal(reported(200, value), undefined)
  t.equal(reported(500, value), undefined)
  t.equal(reported(502, `other; error=connection_refused, ${value}`), undefined)
  t.equal(reported(502, `${value}, other`), undefined)
  t.equal(reported(502, proxyStatus('endpoint-refused', NEXT_HOP, '')), undefined)
})

t.test('proxy status: several codes have one type, and the details tell them apart', async (t) => {
  const end = `; next-hop="${NEXT_HOP}"`
  const said = (type: string, details: string): string =>
    `underpass; error=${type}; details="${details}"${end}`
  t.equal(reported(502, said('connection_terminated', 'upstream-reset')), 'upstream-reset')
  t.equal(reported(502, said('connection_terminated', 'upstream-reset: closed')), 'upstream-reset')
  t.equal(reported(503, said('connection_limit_reached', 'overloaded: 1')), 'overloaded')
  t.equal(reported(503, said('connection_limit_reached', 'pending-limit: overloaded')), undefined)
  const wrong = [
    said('connection_limit_reached', 'overloaded:1'),
    said('connection_limit_reached', 'overloaded '),
    said('connection_limit_reached', ' overloaded'),
    said('connection_limit_reached', 'Overloaded'),
    said('connection_limit_reached', 'overload'),
    said('connection_limit_reached', ''),
    said('connection_limit_reached', 'toString'),
    said('connection_refused', 'overloaded'),
    said('', 'overloaded'),
    `underpass; error=connection_limit_reached${end}`,
    `underpass;error=connection_limit_reached; details="overloaded"${end}`,
    `underpass; details="overloaded"; error=connection_limit_reached${end}`,
    `underpass; error=connection_limit_reached; details=overloaded${end}`,
    ` ${said('connection_limit_reached', 'overloaded')}, other`,
  ]
  for (const value of wrong) t.equal(reported(503, value), undefined, value)
  t.equal(reported(502, said('connection_limit_reached', 'overloaded')), undefined, 'its status')
})
