import t from 'tap'
import {
  newTraceparent,
  spanIdIn,
  TraceContext,
  traceIdIn,
} from '../../../src/proxy/telemetry/trace-context.ts'
import { exchangeOf } from './exchanges.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'

/** Version, trace, span and flags as they are read, or undefined. */
function read(...values: readonly string[]): string | undefined {
  const context = new TraceContext()
  const fields = values.map((value) => `traceparent: ${value}`)
  const { request } = exchangeOf({ fields: ['Accept: */*', ...fields] })
  if (!context.read(request)) return undefined
  return `${context.traceId} ${context.spanId} ${context.flags} ${context.isSampled}`
}

t.test('trace context: what is valid', async (t) => {
  const cases: readonly (readonly [string, string])[] = [
    [`00-${TRACE}-${SPAN}-01`, '1 true'],
    [`00-${TRACE}-${SPAN}-00`, '0 false'],
    [`00-${TRACE}-${SPAN}-02`, '2 false'],
    [`00-${TRACE}-${SPAN}-03`, '3 true'],
    // Flags that nobody knows yet are not passed on.
    [`00-${TRACE}-${SPAN}-ff`, '3 true'],
    [`00-${TRACE}-${SPAN}-f0`, '0 false'],
    // A later version: what is known of it counts.
    [`01-${TRACE}-${SPAN}-01`, '1 true'],
    [`cc-${TRACE}-${SPAN}-01-what-the-future-brings`, '1 true'],
    [`  00-${TRACE}-${SPAN}-01  `, '1 true'],
  ]
  for (const [value, flags] of cases) t.equal(read(value), `${TRACE} ${SPAN} ${flags}`, value)
})

t.test('trace context: what is not', async (t) => {
  const cases: readonly string[] = [
    '',
    '00',
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-`,
    `00-${TRACE}-${SPAN}-1`,
    `00-${TRACE}-${SPAN}-011`,
    `00-${TRACE}-${SPAN}-01-`,
    `00-${TRACE}-${SPAN}-01-more`,
    `cc-${TRACE}-${SPAN}-01.more`,
    `cc-${TRACE}-${SPAN}-012`,
    `ff-${TRACE}-${SPAN}-01`,
    `0g-${TRACE}-${SPAN}-01`,
    `0-${TRACE}-${SPAN}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE}-${SPAN.toUpperCase()}-01`,
    `00-${TRACE}-${SPAN}-0A`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.slice(1)}-${SPAN}-01`,
    `00-${TRACE}0-${SPAN}-01`,
    `00-${TRACE.slice(1)}.-${SPAN}-01`,
    `00_${TRACE}-${SPAN}-01`,
    `00-${TRACE}_${SPAN}-01`,
    `00-${TRACE}-${SPAN}_01`,
    `00-${TRACE}-${SPAN}-\u00e9\u00e9`,
    `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`,
  ]
  for (const value of cases) t.equal(read(value), undefined, value)
  t.equal(read(), undefined, 'none')
  const value = `00-${TRACE}-${SPAN}-01`
  t.equal(read(value, value), undefined, 'two of them, even if they are the same')
})

t.test('trace context: an object that is used again forgets what it read', async (t) => {
  const context = new TraceContext()
  const fields = [`traceparent: 00-${TRACE}-${SPAN}-03`]
  t.ok(context.read(exchangeOf({ fields }).request))
  t.notOk(context.read(exchangeOf().request))
  t.ok(context.read(exchangeOf({ fields: [`traceparent: 00-${SPAN}${SPAN}-${SPAN}-00`] }).request))
  t.same([context.traceId, context.flags], [SPAN + SPAN, 0])
})

t.test('trace context: the line that is sent on', async (t) => {
  const form = /^traceparent: 00-([0-9a-f]{32})-([0-9a-f]{16})-(0[0-3])\r\n$/
  const [, trace, span, flags] = form.exec(newTraceparent(0, undefined).toString('latin1')) ?? []
  t.match(trace, /[1-9a-f]/)
  t.match(span, /[1-9a-f]/)
  t.equal(flags, '00')
  const context = new TraceContext()
  context.read(exchangeOf({ fields: [`traceparent: 00-${TRACE}-${SPAN}-03`] }).request)
  const continued = newTraceparent(3, context)
  const text = continued.toString('latin1')
  t.match(text, form)
  t.ok(text.startsWith(`traceparent: 00-${TRACE}-`))
  t.ok(text.endsWith('-03\r\n'))
  t.equal(traceIdIn(continued), TRACE)
  t.ok(text.includes(`-${spanIdIn(continued)}-`))
  t.not(spanIdIn(continued), SPAN)
})

t.test('trace context: ids do not come twice, also over many batches of randomness', async (t) => {
  const lines = Array.from({ length: 5000 }, () => newTraceparent(1, undefined))
  t.equal(new Set(lines.map(traceIdIn)).size, 5000)
  t.equal(new Set(lines.map(spanIdIn)).size, 5000)
  // Each hexadecimal digit stands in each place but the one that is kept from zero.
  const first = new Set(lines.map((line) => traceIdIn(line)[0]))
  t.equal(first.size, 16)
})
