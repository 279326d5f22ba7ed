// Deadlines that travel through an application that does not pass them on: from an inbound request to those that the
// application makes for it, by the trace that they share.

import t from 'tap'
import { seededRandom } from '../../../src/lib/random.ts'
import { Observer } from '../../../src/proxy/telemetry/observer.ts'
import { SpanQueue } from '../../../src/proxy/telemetry/span-queue.ts'
import { Tracer } from '../../../src/proxy/telemetry/tracing.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { answering } from '../../support/http-peer.ts'
import { messages, ok } from '../../support/http-text.ts'
import { logLines } from '../../support/log-lines.ts'
import { until } from '../../support/until.ts'
import { backend, get } from '../l7/fixture.ts'
import { Pod } from './pod.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const parent = (span: string): string => `traceparent: 00-${TRACE}-${span.repeat(16)}-00\r\n`
const expected = (milliseconds: number): string =>
  `x-envoy-expected-rq-timeout-ms: ${milliseconds}\r\n`

const silent = answering(() => undefined)
const told = (request: string | undefined): string | undefined =>
  /^x-envoy-expected-rq-timeout-ms: (\d+)\r$/m.exec(request ?? '')?.[1]

t.test(
  'inherited deadlines: what the application asks for on the way has what is left',
  async (t) => {
    const application = await backend(t, silent)
    const service = await backend(t, silent)
    const f = await Pod.start(t, application, { service })
    const [client, caller] = [await f.client(), await f.client('outbound')]
    await client.send(get('/', parent('1') + expected(500)))
    await until('it was sent', () => application.requests.length === 1)
    t.equal(told(application.requests[0]), '500', 'the application may know')
    t.equal(f.traces.size, 1)
    f.clock.advance(100)
    await caller.send(get('/', parent('2')))
    await until('it was sent', () => service.requests.length === 1)
    t.equal(told(service.requests[0]), '400', 'each hop says less')
    f.clock.advance(410)
    await client.until((text) => messages(text).length === 1)
    await caller.until((text) => messages(text).length === 1)
    t.match(client.text, /^HTTP\/1\.1 504 .*deadline-exceeded: x-envoy-expected-rq-timeout-ms"/s)
    t.match(caller.text, /^HTTP\/1\.1 504 .*deadline-exceeded: trace"/s)
    t.same([...f.service.resilience.expired], [['trace', 1]])
    // What it asks for now is for nobody.
    const asked = service.requests.length
    await caller.send(get('/', parent('3')))
    await caller.until((text) => messages(text).length === 2)
    t.match(caller.text, /504 .*504 .*deadline-exceeded: trace"/s)
    t.equal(service.requests.length, asked, 'it was not sent')
    await client.send(get('/', parent('1')))
    await until('the next one of the trace has no deadline', () => f.traces.size === 0)
  },
)

t.test(
  'inherited deadlines: a field of its own goes first, and other traces have theirs',
  async (t) => {
    const application = await backend(t, silent)
    const service = await backend(t, answering(ok('x')))
    const f = await Pod.start(t, application, { service })
    const [client, caller] = [await f.client(), await f.client('outbound')]
    await client.send(get('/', parent('1') + expected(500)))
    await until('it was sent', () => application.requests.length === 1)
    const sent = async (fields: string): Promise<string | undefined> => {
      const count = service.requests.length
      await caller.send(get('/', fields))
      await until('it was sent', () => service.requests.length === count + 1)
      return told(service.requests.at(-1))
    }
    t.equal(await sent(parent('2') + expected(900)), '900')
    t.equal(await sent(`${parent('2')}x-envoy-expected-rq-timeout-ms: a\r\n`), '500')
    t.equal(await sent(`x-b3-traceid: ${TRACE}\r\n`), '500')
    t.equal(await sent(''), undefined)
    t.equal(await sent('x-request-id: other\r\n'), undefined)
  },
)

t.test('inherited deadlines: what is done after the answer is not cut', async (t) => {
  const application = await backend(t, answering(ok('done')))
  const service = await backend(t, answering(ok('x')))
  const f = await Pod.start(t, application, { service })
  const [client, caller] = [await f.client(), await f.client('outbound')]
  await client.send(get('/', parent('1') + expected(500)))
  await client.until((text) => messages(text).length === 1)
  t.equal(f.traces.size, 0)
  await caller.send(get('/', parent('2')))
  await caller.until((text) => messages(text).length === 1)
  t.equal(told(service.requests[0]), undefined)
})

t.test('inherited deadlines: of several requests of one trace the latest holds', async (t) => {
  const application = await backend(t, silent)
  const service = await backend(t, answering(ok('x')))
  const f = await Pod.start(t, application, { service })
  const [one, other, caller] = [await f.client(), await f.client(), await f.client('outbound')]
  await one.send(get('/one', parent('1') + expected(300)))
  await other.send(get('/other', parent('2') + expected(900)))
  await until('both were sent', () => application.requests.length === 2)
  await caller.send(get('/', parent('3')))
  await caller.until((text) => messages(text).length === 1)
  t.equal(told(service.requests[0]), '900')
  other.socket.resetAndDestroy()
  await until('one is left', () => f.load.active === 1)
  await caller.send(get('/', parent('3')))
  await caller.until((text) => messages(text).length === 2)
  t.equal(told(service.requests[1]), '900', 'what was promised to the other one is still under way')
  one.socket.resetAndDestroy()
  await until('none is left', () => f.load.active === 0)
  await caller.send(get('/', parent('3')))
  await caller.until((text) => messages(text).length === 3)
  t.match(caller.text, /504 .*deadline-exceeded: trace"/s, 'both clients have gone')
  t.equal(service.requests.length, 2)
})

t.test('inherited deadlines: the trace that our own tracing began', async (t) => {
  const clock = new FakeClock()
  const random = seededRandom(1)
  const queue = new SpanQueue(
    { export: () => undefined, stop: async () => Promise.resolve() } as never,
    clock,
    logLines().log,
  )
  const observer = new Observer(clock, undefined, new Tracer(queue, 0, clock, random))
  const application = await backend(t, silent)
  const service = await backend(t, answering(ok('x')))
  const f = await Pod.start(t, application, { service, observer })
  const [client, caller] = [await f.client(), await f.client('outbound')]
  await client.send(get('/', expected(500)))
  await until('it was sent', () => application.requests.length === 1)
  const line = /^traceparent: .*\r$/m.exec(application.requests[0] ?? '')?.[0] ?? ''
  await caller.send(get('/', `${line}\n`))
  await caller.until((text) => messages(text).length === 1)
  t.equal(told(service.requests[0]), '500')
})

t.test('inherited deadlines: a tunnel is not remembered', async (t) => {
  const application = await backend(t, (connection) => {
    connection.write('HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
  })
  const f = await Pod.start(t, application)
  const client = await f.client()
  await client.send(
    get('/', `${parent('1')}${expected(500)}Connection: Upgrade\r\nUpgrade: echo\r\n`),
  )
  await client.until((text) => text.endsWith('\r\n\r\n'))
  t.equal(f.traces.size, 0)
})
