// Which requests belong together: by any id of theirs, in any of the formats.

import t from 'tap'
import { TraceDeadlines } from '../../../src/proxy/resilience/trace-deadlines.ts'
import type { Exchange } from '../../../src/proxy/stack/exchange.ts'
import { NO_LIMIT } from '../../../src/proxy/stack/route.ts'
import { newTraceparent } from '../../../src/proxy/telemetry/trace-context.ts'
import { exchangeOf } from '../telemetry/exchanges.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const HALF = 'a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'
const PARENT = `traceparent: 00-${TRACE}-${SPAN}-01`

function inbound(deadline: number, ...fields: readonly string[]): Exchange {
  const exchange = exchangeOf({ direction: 'inbound', fields })
  exchange.deadline = deadline
  return exchange
}

/** What a request with the second fields inherits from one with the first. */
function inherited(first: readonly string[], second: readonly string[]): number {
  const traces = new TraceDeadlines()
  traces.remember(inbound(500, ...first))
  return traces.deadlineOf(exchangeOf({ fields: second }))
}

t.test('trace deadlines: the formats in which a trace is named mean the same', async (t) => {
  const whole = [
    PARENT,
    `traceparent: cc-${TRACE}-${SPAN}-01-later`,
    `b3: ${TRACE}-${SPAN}-1`,
    `B3: ${TRACE.toUpperCase()}-${SPAN}-1-05e3ac9a4f6e3b90`,
    `X-B3-TraceId: ${TRACE}`,
    `X-Request-Id: ${TRACE}`,
  ]
  for (const one of whole) {
    for (const other of whole) t.equal(inherited([one], [other]), 500, `${one}, ${other}`)
  }
  const half = [
    `b3: ${HALF}-${SPAN}`,
    `x-b3-traceid: ${HALF}`,
    `traceparent: 00-${'0'.repeat(16)}${HALF}-${SPAN}-01`,
  ]
  for (const one of half) {
    for (const other of half) t.equal(inherited([one], [other]), 500, `${one}, ${other}`)
    t.equal(inherited([one], [PARENT]), NO_LIMIT, 'half of an id is another one')
  }
})

t.test('trace deadlines: text that is no number', async (t) => {
  const texts = [
    'b8d6ac1b-4f1c-9c1e-8b7a-2f3a1c5d7e9f',
    'a',
    'x'.repeat(256),
    `${TRACE.slice(0, -1)}g`,
    '0'.repeat(32),
    'naïve',
  ]
  for (const text of texts) {
    t.equal(inherited([`x-request-id: ${text}`], [`x-request-id: ${text}`]), 500, text)
    t.equal(inherited([`x-request-id: ${text}`], [`x-request-id: ${text}x`]), NO_LIMIT)
  }
  const upper = 'B8D6AC1B-4F1C-9C1E-8B7A-2F3A1C5D7E9F'
  t.equal(inherited([`x-request-id: ${upper}`], [`x-request-id: ${upper.toLowerCase()}`]), NO_LIMIT)
  const long = `x-request-id: ${'x'.repeat(257)}`
  t.equal(inherited([long], [long]), NO_LIMIT, 'too long to be looked at')
})

t.test('trace deadlines: what is no id', async (t) => {
  const wrong = [
    `traceparent: 00-${'0'.repeat(32)}-${SPAN}-01`,
    `traceparent: 00-${TRACE}-${SPAN}`,
    `traceparent: 00_${TRACE}-${SPAN}-01`,
    `traceparent: 00-${TRACE}_${SPAN}-01`,
    `traceparent: 00-${TRACE.slice(0, -1)}x-${SPAN}-01`,
    'b3: 0',
    'b3: 1',
    'b3: d',
    `b3: ${TRACE}`,
    `b3: ${TRACE.slice(1)}-${SPAN}`,
    'x-b3-traceid: 12',
    `x-b3-traceid: ${TRACE}0`,
    'x-request-id:',
    'x-other: a',
  ]
  for (const field of wrong) t.equal(inherited([field], [field]), NO_LIMIT, field)
  for (const field of [PARENT, 'x-request-id: a']) {
    t.equal(inherited([field, field], [field]), NO_LIMIT, `twice: ${field}`)
    t.equal(inherited([field], [field, field]), NO_LIMIT)
  }
})

t.test('trace deadlines: a request is remembered under all of its ids', async (t) => {
  const traces = new TraceDeadlines()
  const ids = [
    `x-b3-traceid: ${'1'.repeat(32)}`,
    'x-request-id: a',
    `b3: ${'2'.repeat(32)}-${SPAN}`,
  ]
  const one = inbound(500, PARENT, ...ids)
  traces.remember(one)
  t.equal(traces.size, 4)
  for (const field of [PARENT, ...ids]) {
    t.equal(traces.deadlineOf(exchangeOf({ fields: [field] })), 500)
  }
  traces.release(one)
  t.equal(traces.size, 0)
  traces.release(one)
  traces.release(exchangeOf())
  t.equal(traces.size, 0)
})

t.test('trace deadlines: under several ids the latest deadline holds', async (t) => {
  const traces = new TraceDeadlines()
  traces.remember(inbound(500, PARENT))
  traces.remember(inbound(700, 'x-request-id: a'))
  traces.remember(inbound(600, 'x-request-id: b'))
  const deadline = (...fields: readonly string[]): number =>
    traces.deadlineOf(exchangeOf({ fields, at: 100 }))
  t.equal(deadline(PARENT, 'x-request-id: a'), 700)
  t.equal(deadline('x-request-id: b', PARENT), 600)
  t.equal(deadline('x-request-id: c', PARENT), 500)
  t.equal(deadline('x-request-id: c'), NO_LIMIT)
  t.equal(deadline(), NO_LIMIT)
})

t.test('trace deadlines: the id that our own tracing gave the request', async (t) => {
  const traces = new TraceDeadlines()
  const line = newTraceparent(0, undefined)
  const text = line.toString().trim()
  const one = inbound(500)
  one.requestLines = line
  traces.remember(one)
  t.equal(traces.deadlineOf(exchangeOf({ fields: [text] })), 500)
  traces.release(one)
  t.equal(traces.size, 0)
  // Other lines stand before it, and what the client sent as traceparent does not go on.
  const other = inbound(500, PARENT)
  other.requestCut = 1 << 22
  other.requestLines = Buffer.concat([Buffer.from('x-other: a\r\n'), line])
  traces.remember(other)
  t.equal(traces.size, 1)
  t.equal(traces.deadlineOf(exchangeOf({ fields: [text] })), 500)
  t.equal(traces.deadlineOf(exchangeOf({ fields: [PARENT] })), NO_LIMIT)
})

t.test('trace deadlines: it is bounded', async (t) => {
  const traces = new TraceDeadlines(3)
  for (let at = 0; at < 10; at++) traces.remember(inbound(500, `x-request-id: ${at}`))
  t.equal(traces.size, 3)
  t.equal(traces.deadlineOf(exchangeOf({ fields: ['x-request-id: 6'] })), NO_LIMIT)
  t.equal(traces.deadlineOf(exchangeOf({ fields: ['x-request-id: 7'] })), 500)
})
