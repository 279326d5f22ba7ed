// Calls of gRPC that are sent again: by the code in the head of their response, by what their endpoint's sidecar says.

import t from 'tap'
import type { RetryCauseWord } from '../../../src/api/resources.ts'
import { ERRORS } from '../../../src/lib/errors.ts'
import { GRPC_NAMES, GrpcStatus } from '../../../src/lib/grpc-status.ts'
import { NO_GRPC_STATUS } from '../../../src/proxy/stack/exchange.ts'
import { proxyStatus } from '../../../src/proxy/stack/proxy-status.ts'
import { CALL, NOTHING, Tries } from './tries.ts'

const WORDS: Readonly<Partial<Record<string, RetryCauseWord>>> = {
  CANCELLED: 'cancelled',
  DEADLINE_EXCEEDED: 'deadline-exceeded',
  INTERNAL: 'internal',
  RESOURCE_EXHAUSTED: 'resource-exhausted',
  UNAVAILABLE: 'unavailable',
}
const ALL = Object.values(WORDS).filter((word) => word !== undefined)
const status = (code: number): string => `Grpc-Status: ${code}`
const everything = (attempts = 1): { retries: { on: RetryCauseWord[]; attempts: number } } => ({
  retries: { on: [...ALL], attempts },
})

t.test('grpc retries: every code has its word, or none', async (t) => {
  for (const [code, name] of GRPC_NAMES.entries()) {
    const word = WORDS[name]
    const f = new Tries(2, everything())
    f.open(CALL)
    f.last.answer(200, status(code))
    t.same(f.retries, word === undefined ? {} : { [word]: 1 }, name)
    t.same(f.above, word === undefined ? ['head 200', 'ended'] : [])
    const others = ALL.filter((each) => each !== word)
    const g = new Tries(2, { retries: { on: [...others, 'gateway-error', '5xx'] } })
    g.open(CALL)
    g.last.answer(200, status(code))
    t.same(g.above, ['head 200', 'ended'], 'where the policy does not say so it is not')
    t.same(g.denied, {})
  }
})

t.test('grpc retries: it goes to another endpoint, and nothing of the first is left', async (t) => {
  const f = new Tries(2, everything())
  const call = f.open(CALL)
  f.last.answer(200, status(14))
  t.same(f.above, [])
  t.equal(call.grpcStatus, NO_GRPC_STATUS)
  f.clock.advance(30)
  t.equal(f.went, '01')
  t.equal(f.last.sentHead, f.at(0).sentHead)
  f.last.head(200).finish(0)
  t.same(f.above, ['head 200', 'ended'])
  t.equal(call.grpcStatus, 0)
  t.same(f.outcomes, [1, 0])
  t.same(f.underWay, NOTHING)
  t.same(f.health.said, [
    ...['chosen 10.0.0.1:80', 'answered 10.0.0.1:80 200', 'concluded 10.0.0.1:80 14'],
    ...['left 10.0.0.1:80'],
    ...['chosen 10.0.1.1:80', 'answered 10.0.1.1:80 200', 'concluded 10.0.1.1:80 0'],
    ...['left 10.0.1.1:80'],
  ])
})

t.test(
  'grpc retries: POST need not be listed for a word of gRPC, but for all others',
  async (t) => {
    const plain = new Tries(2, everything())
    const post = plain.open({ ...CALL, fields: ['Content-Length: 0'] })
    t.notOk(post.isGrpc)
    plain.last.answer(200, status(14))
    t.same(plain.above, ['head 200', 'ended'], 'who speaks HTTP has no codes')
    const reset = new Tries(2, { retries: { on: ['reset', 'unavailable'] } })
    reset.open(CALL)
    reset.last.fail('upstream-reset')
    t.same(reset.above, ['upstream-reset'])
    const listed = new Tries(2, { retries: { on: ['reset'], methods: ['POST'] } })
    listed.open(CALL)
    listed.last.fail('upstream-reset')
    t.same(listed.retries, { reset: 1 })
    const get = new Tries(2, { retries: { on: ['unavailable'], methods: [] } })
    get.open({ line: 'GET /', fields: ['Content-Type: application/grpc'] })
    get.last.answer(200, status(14))
    t.same(get.above, ['head 200', 'ended'], 'only POST is a call as gRPC has them')
  },
)

t.test('grpc retries: statuses of HTTP are what gRPC makes of them', async (t) => {
  for (const [http, word] of [
    [503, 'unavailable'],
    [429, 'unavailable'],
    [400, 'internal'],
    [404, undefined],
    [500, undefined],
  ] as const) {
    const f = new Tries(2, everything())
    f.open(CALL)
    f.last.answer(http)
    t.same(f.retries, word === undefined ? {} : { [word]: 1 }, `${http}`)
  }
})

t.test('grpc retries: an injected fault is the code of its status', async (t) => {
  for (const [http, isMended] of [
    [503, true],
    [500, false],
  ] as const) {
    const f = new Tries(2, { retries: { on: ['unavailable'] } })
    const call = f.open(CALL)
    call.status = http
    f.last.fail('fault-injected')
    t.same(f.retries, isMended ? { 'fault-injected': 1 } : {})
  }
})

t.test('grpc retries: what comes with the trailers is the client’s', async (t) => {
  const f = new Tries(2, everything())
  f.open(CALL)
  f.last.head(200).finish(14)
  t.same(f.above, ['head 200', 'ended'])
  t.same(f.retries, {})
})

t.test(
  'grpc retries: whether a call that was sent again went well is told by its code',
  async (t) => {
    for (const [code, isGood] of [
      [GrpcStatus.ok, true],
      [GrpcStatus.notFound, true],
      [GrpcStatus.resourceExhausted, true],
      [GrpcStatus.unavailable, false],
      [GrpcStatus.unknown, false],
      [NO_GRPC_STATUS, false],
      [GrpcStatus.cancelled, false],
    ] as const) {
      const f = new Tries(2, { retries: { on: ['unavailable', 'cancelled'] } })
      f.open(CALL)
      f.last.answer(200, status(14))
      f.clock.advance(30)
      f.last.head(200).finish(code)
      t.same(f.outcomes, isGood ? [1, 0] : [0, 1], `${code}`)
    }
  },
)

t.test('grpc retries: pushback of the server', async (t) => {
  const after = (...values: readonly string[]): readonly [Record<string, number>, number] => {
    const f = new Tries(2, everything())
    f.clock.advance(1000)
    const call = f.open(CALL)
    const lines = values.map((value) => `Grpc-Retry-Pushback-Ms: ${value}`)
    f.last.answer(200, status(14), ...lines, 'Retry-After: 0')
    let waited = 0
    while (f.all.length === 1 && waited < 2000) {
      f.clock.advance(25)
      waited += 25
    }
    t.equal(call.retries, f.all.length - 1)
    return [f.denied, waited]
  }
  t.same(after('400'), [{}, 400])
  t.same(after('1000'), [{}, 1000], 'as long as the policy waits')
  const denied = { 'retry-after': 1 }
  for (const value of ['1001', '-1', '', 'soon', '1.5', '0x1', '+1', '99999999999', '1 2']) {
    t.same(after(value), [denied, 2000], `"${value}"`)
  }
  t.same(after('1', '1'), [denied, 2000], 'twice')
  const http = new Tries(2, { retries: { on: ['gateway-error'] } })
  http.open()
  http.last.answer(503, 'grpc-retry-pushback-ms: -1')
  t.same(http.retries, { 'gateway-error': 1 }, 'in HTTP it says nothing')
})

t.test(
  'grpc retries: one that its endpoint’s sidecar could not connect goes elsewhere at once',
  async (t) => {
    const told = (error: 'endpoint-refused' | 'overloaded', key: string): string[] => [
      ...['Content-Type: application/grpc', status(ERRORS[error].grpc)],
      `Proxy-Status: ${proxyStatus(error, '', key)}`,
    ]
    const f = new Tries(2, { retries: { on: ['refused-stream'] } })
    const call = f.open(CALL)
    f.last.answer(200, ...told('endpoint-refused', f.last.endpoint.key))
    t.equal(f.went, '01', 'whatever the policy says')
    t.equal(call.grpcStatus, NO_GRPC_STATUS)
    f.last.answer(200, ...told('overloaded', f.last.endpoint.key))
    t.same(f.retries, { 'refused-stream': 1 }, 'its application did not get it')
    f.clock.advance(30)
    f.last.answer(200, ...told('endpoint-refused', '10.0.9.9:80'))
    t.same(f.above, ['head 200', 'ended'], 'of another hop it is no news')
    t.same(f.underWay, NOTHING)
    const http = new Tries(2)
    http.open()
    http.last.answer(200, ...told('endpoint-refused', http.last.endpoint.key))
    t.same(http.above, ['head 200', 'ended'], 'nor to who asked in HTTP')
  },
)

t.test('grpc retries: a second try that is taken says how the call ended', async (t) => {
  const f = new Tries(2, { retries: { hedgeAfter: 100 } })
  const call = f.open({ line: 'GET /', fields: ['Content-Type: application/grpc'] })
  f.clock.advance(130)
  t.equal(f.all.length, 2)
  const hedge = f.at(1)
  t.ok(hedge.exchange.isGrpc)
  hedge.head(200)
  hedge.finish(14)
  t.same(f.above, ['head 200', 'ended'])
  t.equal(call.grpcStatus, 14)
  t.same(f.underWay, NOTHING)
})

t.test('grpc retries: a request is kept for a word of gRPC', async (t) => {
  const asked = { ...CALL, fields: ['Content-Type: application/grpc', 'Content-Length: 9'] }
  for (const [on, isKept] of [
    ['unavailable', true],
    ['reset', false],
    ['connect-failure', false],
  ] as const) {
    const f = new Tries(2, { retries: { on: [on] } })
    const call = f.open({ ...asked, isAtHand: false })
    t.equal(call.replay !== undefined, isKept, on)
  }
})
