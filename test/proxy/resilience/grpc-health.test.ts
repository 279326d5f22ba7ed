// Calls of gRPC and the breakers of their endpoints: which codes are failures, and that the one at the end counts.

import t from 'tap'
import { GRPC_NAMES, GrpcStatus } from '../../../src/lib/grpc-status.ts'
import { NO_GRPC_STATUS } from '../../../src/proxy/stack/exchange.ts'
import { Verdict } from '../../../src/proxy/stack/health.ts'
import { Watched } from './watched.ts'

const { ok, deadlineExceeded, unavailable } = GrpcStatus

function ready(change: ConstructorParameters<typeof Watched>[1] = {}): Watched {
  const w = new Watched(3, change)
  w.trip()
  w.clock.advance(1000)
  return w
}

t.test('grpc health: the codes that are failures, in the head or at the end', async (t) => {
  for (const isInHead of [true, false]) {
    const failures = GRPC_NAMES.filter((_, code) => {
      const w = new Watched(3)
      for (let turn = 0; turn < 5; turn += 1) w.called(0, code, isInHead)
      return w.state() === 'open'
    })
    t.same(failures, ['UNKNOWN', 'DEADLINE_EXCEEDED', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS'])
  }
})

t.test('grpc health: a response that ends without a code is a failure', async (t) => {
  const w = new Watched(3)
  for (let turn = 0; turn < 5; turn += 1) {
    t.equal(w.state(), 'closed')
    w.called(0, NO_GRPC_STATUS)
  }
  t.equal(w.state(), 'open')
})

t.test('grpc health: who speaks HTTP may send what he likes', async (t) => {
  const w = new Watched(3)
  for (let turn = 0; turn < 9; turn += 1) {
    const exchange = w.send()
    exchange.grpcStatus = unavailable
    w.answer(exchange)
    w.leave(exchange)
  }
  t.equal(w.state(), 'closed')
})

t.test('grpc health: another status than 200 is judged as it is in HTTP', async (t) => {
  const after = (status: number): string => {
    const w = new Watched(3)
    for (let turn = 0; turn < 5; turn += 1) {
      const call = w.call()
      w.answer(call, status)
      t.not(call.verdict, Verdict.begun)
      w.conclude(call, NO_GRPC_STATUS)
    }
    return w.state()
  }
  t.equal(after(503), 'open')
  t.equal(after(500), 'open')
  t.equal(after(501), 'closed')
  t.equal(after(429), 'closed')
  t.equal(after(404), 'closed')
})

t.test('grpc health: until its end a call is neither good nor bad', async (t) => {
  const w = new Watched(3)
  for (let turn = 0; turn < 4; turn += 1) w.called(0, unavailable)
  const calls = [w.call(), w.call(), w.call()] as const
  for (const call of calls) w.answer(call)
  const view = (): number => w.health.view(w.at(0), w.clock.now()).consecutiveFailures
  t.equal(view(), 4)
  t.equal(calls[0].verdict, Verdict.begun)
  w.leave(calls[0])
  t.equal(view(), 4, 'a client that goes away says nothing')
  w.conclude(calls[1], ok)
  t.equal(view(), 0)
  t.equal(calls[1].verdict, Verdict.good)
  w.conclude(calls[2], unavailable)
  t.equal(view(), 1)
  t.equal(calls[2].verdict, Verdict.bad)
})

t.test('grpc health: the success rate is that of calls that have ended', async (t) => {
  const w = new Watched(3, { minSuccessRate: 0.8, minRequests: 20, consecutiveFailures: 0 })
  const open = Array.from({ length: 100 }, () => w.call())
  for (const call of open) w.answer(call)
  for (let turn = 0; turn < 20; turn += 1) w.called(0, turn % 5 === 0 ? unavailable : ok)
  t.equal(w.health.view(w.at(0), w.clock.now()).successRate, 0.8)
  t.equal(w.state(), 'closed')
  w.called(0, unavailable)
  t.equal(w.state(), 'open')
  t.same([...w.resilience.ejections], [['success-rate', 1]])
})

t.test('grpc health: a call counts once, whatever comes after its code', async (t) => {
  const w = new Watched(3)
  for (let turn = 0; turn < 4; turn += 1) {
    const call = w.call()
    call.grpcStatus = unavailable
    w.answer(call)
    w.fail(call, 'response-incomplete')
    w.conclude(call, unavailable)
  }
  t.match(w.health.view(w.at(0), w.clock.now()), { state: 'closed', consecutiveFailures: 4 })
})

t.test(
  'grpc health: a stream that breaks off is a failure, one that runs out of time is not',
  async (t) => {
    const w = new Watched(3)
    for (const error of ['per-try-timeout', 'deadline-exceeded', 'idle-timeout'] as const) {
      const call = w.call()
      w.answer(call)
      w.clock.advance(60_000)
      w.fail(call, error)
    }
    t.match(w.health.view(w.at(0), w.clock.now()), { consecutiveFailures: 0 })
    for (let turn = 0; turn < 5; turn += 1) {
      const call = w.call()
      w.answer(call)
      w.fail(call, 'response-incomplete')
    }
    t.equal(w.state(), 'open')
  },
)

t.test(
  'grpc health: deadlines that nobody could meet eject nobody, said by the server too',
  async (t) => {
    const after = (took: number, isInHead: boolean): string => {
      const w = new Watched(3)
      for (let turn = 0; turn < 5; turn += 1) {
        const call = w.call()
        call.deadline = w.clock.now() + took
        w.clock.advance(took)
        if (isInHead) call.grpcStatus = deadlineExceeded
        w.answer(call)
        w.conclude(call, deadlineExceeded)
      }
      return w.state()
    }
    for (const isInHead of [true, false]) {
      t.equal(after(5, isInHead), 'closed')
      t.equal(after(1000, isInHead), 'closed')
      t.equal(after(1001, isInHead), 'open', 'a second is time enough')
    }
  },
)

t.test('grpc health: latency is that to the head', async (t) => {
  const w = new Watched(3, { slowerThanPeers: 5 })
  for (let turn = 0; turn < 6; turn += 1) {
    for (const at of [0, 1, 2]) {
      const call = w.call(at)
      w.clock.advance(at === 0 ? 120 : 5)
      w.answer(call)
      w.clock.advance(at === 1 ? 500 : 1)
      w.conclude(call, ok)
    }
  }
  w.sweep()
  t.equal(w.states, 'open closed closed')
})

t.test('grpc health: a probe is decided by its code', async (t) => {
  const good = ready()
  const probe = good.call()
  t.ok(probe.isProbe)
  good.clock.advance(3)
  good.answer(probe)
  t.equal(good.state(), 'half-open')
  good.clock.advance(10)
  good.conclude(probe, ok)
  t.equal(good.state(), 'closed')
  t.match(good.events('breaker').at(-1), { reason: 'probe-passed', latencyMilliseconds: 3 })
  for (const code of [unavailable, NO_GRPC_STATUS]) {
    const bad = ready()
    const second = bad.call()
    bad.answer(second)
    t.equal(bad.state(), 'half-open')
    bad.conclude(second, code)
    t.equal(bad.state(), 'open')
    t.equal(bad.at(0).ejectedUntil, bad.clock.now() + 2000)
    t.same(
      [...bad.resilience.ejections],
      [
        ['consecutive-failures', 1],
        ['probe', 1],
      ],
    )
  }
  const atOnce = ready()
  const third = atOnce.call()
  third.grpcStatus = unavailable
  atOnce.answer(third)
  t.equal(atOnce.state(), 'open', 'where the head says so, by that')
})

t.test('grpc health: a probe that begins late has failed', async (t) => {
  const w = new Watched(3, { slowerThanPeers: 5 })
  w.trip()
  w.clock.advance(1000)
  for (let turn = 0; turn < 6; turn += 1) for (const at of [1, 2]) w.attempt(at, 200, 20)
  w.sweep()
  const probe = w.call()
  w.clock.advance(500)
  w.answer(probe)
  t.equal(w.state(), 'open')
  w.conclude(probe, ok)
  t.equal(w.state(), 'open')
})

t.test('grpc health: a probe that is a long stream need not end', async (t) => {
  for (const how of ['sweep', 'request'] as const) {
    const w = ready()
    const probe = w.call()
    w.clock.advance(4)
    w.answer(probe)
    w.clock.advance(995)
    w.sweep()
    t.notOk(w.call(0).isProbe)
    t.equal(w.state(), 'half-open', 'it may still fail')
    w.clock.advance(1)
    if (how === 'sweep') w.sweep()
    else t.notOk(w.call().isProbe)
    t.equal(w.state(), 'closed')
    t.match(w.events('breaker').at(-1), { reason: 'probe-passed', latencyMilliseconds: 4 })
    t.equal(w.health.ejected, 0)
    w.clock.advance(3_600_000)
    w.conclude(probe, unavailable)
    t.match(w.health.view(w.at(0), w.clock.now()), { state: 'closed', consecutiveFailures: 0 })
  }
})

t.test('grpc health: a probe whose client leaves is followed by another', async (t) => {
  const w = ready()
  const probe = w.call()
  w.answer(probe)
  w.leave(probe)
  t.equal(w.state(), 'half-open')
  w.clock.advance(2000)
  w.sweep()
  t.equal(w.state(), 'half-open', 'it has said nothing')
  t.ok(w.call().isProbe)
})

t.test(
  'grpc health: what was sent before an ejection has no say, in its trailers either',
  async (t) => {
    const w = new Watched(3)
    const [good, bad] = [w.call(), w.call()]
    for (const call of [good, bad]) w.answer(call)
    w.clock.advance(1)
    w.trip()
    w.clock.advance(1000)
    w.conclude(good, ok)
    t.equal(w.state(), 'open')
    const probe = w.call()
    w.conclude(bad, unavailable)
    t.equal(w.state(), 'half-open')
    w.answer(probe)
    w.conclude(probe, ok)
    t.equal(w.state(), 'closed')
  },
)
