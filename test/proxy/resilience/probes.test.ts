// How an endpoint comes back: one probe, its verdict, the way to its full share; and what was sent before it.

import t from 'tap'
import { Watched } from './watched.ts'

/** Out, and its time is over. */
function ready(change: ConstructorParameters<typeof Watched>[1] = {}): Watched {
  const w = new Watched(3, change)
  w.trip()
  w.clock.advance(1000)
  return w
}

t.test('probes: none while its time is not over', async (t) => {
  const w = new Watched(3)
  w.trip()
  w.clock.advance(999)
  const exchange = w.send()
  t.notOk(exchange.isProbe)
  t.equal(w.state(), 'open')
  t.equal(w.health.view(w.at(0), w.clock.now()).ejectedFor, 1)
  w.answer(exchange, 200)
  t.equal(w.state(), 'open', 'an answer in a panic is no probe’s')
})

t.test('probes: the first request is one, and keeps the others away', async (t) => {
  const w = ready()
  t.ok(w.at(0).ejectedUntil <= w.clock.now())
  t.ok(w.send().isProbe)
  t.equal(w.state(), 'half-open')
  t.equal(w.at(0).ejectedUntil, w.clock.now() + 1000)
  t.notOk(w.send().isProbe)
  t.equal(w.health.ejected, 1, 'it counts as ejected')
  t.equal(w.health.view(w.at(0), w.clock.now()).ejectedFor, 0)
})

t.test('probes: a good answer closes the breaker, with all counts at 0', async (t) => {
  const w = ready()
  const probe = w.send()
  w.clock.advance(5)
  w.answer(probe, 200)
  t.equal(w.state(), 'closed')
  t.match(w.health.view(w.at(0), w.clock.now()), { consecutiveFailures: 0, ejections: 1 })
  t.ok(w.at(0).ejectedUntil < w.clock.now())
  t.same([w.resilience.readmissions, w.health.ejected], [1, 0])
  w.leave(probe)
  w.attempts(0, 4, 503)
  t.equal(w.state(), 'closed')
})

t.test('probes: a bad one opens it again, for twice as long each time', async (t) => {
  const w = ready()
  for (const length of [2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]) {
    const probe = w.send()
    t.ok(probe.isProbe)
    if (length === 4000) w.fail(probe, 'endpoint-refused')
    else w.answer(probe, 503)
    w.leave(probe)
    t.equal(w.state(), 'open')
    t.equal(w.at(0).ejectedUntil, w.clock.now() + length)
    w.clock.advance(length)
  }
  t.equal(w.resilience.ejections.get('probe'), 7)
  t.equal(w.health.view(w.at(0), w.clock.now()).ejections, 8)
})

t.test('probes: chance makes an ejection up to a tenth longer', async (t) => {
  const w = new Watched(3, {}, () => 0.5)
  w.trip()
  t.equal(w.at(0).ejectedUntil, w.clock.now() + 1050)
})

t.test('probes: without a verdict another one goes at once', async (t) => {
  const w = ready()
  w.leave(w.send())
  t.equal(w.state(), 'half-open')
  const second = w.send()
  t.ok(second.isProbe)
  w.fail(second, 'drain-timeout')
  const third = w.send()
  t.ok(third.isProbe)
  w.fail(third, 'deadline-exceeded')
  t.ok(w.send().isProbe, 'a deadline that was too short is no verdict')
})

t.test('probes: one that hangs is followed by others, more and more rarely', async (t) => {
  const w = ready()
  const first = w.send()
  for (const patience of [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]) {
    w.clock.advance(patience - 1)
    t.notOk(w.send().isProbe, `${patience}`)
    w.clock.advance(1)
    t.ok(w.send().isProbe)
  }
  w.fail(first, 'per-try-timeout')
  t.equal(w.state(), 'open', 'the verdict of any of them is one')
  t.equal(w.at(0).ejectedUntil, w.clock.now() + 2000)
})

t.test(
  'probes: a late one that was good is good; one that gave up sets free only itself',
  async (t) => {
    const w = ready()
    const first = w.send()
    w.clock.advance(1000)
    const second = w.send()
    w.leave(first)
    t.notOk(w.send().isProbe, 'the second one is still waited for')
    w.answer(second, 200)
    t.equal(w.state(), 'closed')
    const x = ready()
    const late = x.send()
    x.clock.advance(1000)
    x.send()
    x.answer(late, 200)
    t.equal(x.state(), 'closed')
  },
)

t.test('probes: patience is a second at least, and the first ejection’s length', async (t) => {
  const short = ready({ ejection: { base: 100, max: 500 } })
  short.send()
  t.equal(short.at(0).ejectedUntil, short.clock.now() + 1000)
  const long = new Watched(3, { ejection: { base: 5000, max: 60_000 } })
  long.trip()
  long.clock.advance(5000)
  long.send()
  t.equal(long.at(0).ejectedUntil, long.clock.now() + 5000)
})

t.test('probes: what was sent before an ejection says nothing of the time after it', async (t) => {
  const w = new Watched(3, { minSuccessRate: 0.9, minRequests: 1 })
  const old = Array.from({ length: 20 }, () => w.send())
  w.clock.advance(1)
  w.trip()
  w.clock.advance(1000)
  const probe = w.send()
  for (const exchange of old.slice(0, 7)) w.fail(exchange, 'upstream-reset')
  t.equal(w.state(), 'half-open')
  w.answer(old.at(-1) ?? probe, 200)
  t.equal(w.state(), 'half-open', 'nor do good answers')
  w.clock.advance(1)
  w.answer(probe, 200)
  for (const exchange of old.slice(7, 14)) {
    w.answer(exchange, 503)
    w.leave(exchange)
  }
  for (const exchange of old.slice(14)) w.fail(exchange, 'per-try-timeout')
  t.match(w.health.view(w.at(0), w.clock.now()), { state: 'closed', consecutiveFailures: 0 })
  t.equal(w.resilience.ejections.size, 1)
})

t.test(
  'probes: good answers to what was sent before do not hide that it fails again',
  async (t) => {
    const w = new Watched(3)
    const old = w.send()
    w.clock.advance(1)
    w.trip()
    w.clock.advance(1000)
    w.attempt(0, 200, 1)
    t.ok(Number.isNaN(w.health.view(w.at(0), w.clock.now()).successRate), 'nothing counts any more')
    w.attempts(0, 4, 503)
    w.answer(old, 200)
    t.match(w.health.view(w.at(0), w.clock.now()), { consecutiveFailures: 4, successRate: 0 })
  },
)

t.test('probes: latencies of the time before are forgotten', async (t) => {
  const w = new Watched(3, { slowerThanPeers: 5 })
  for (let turn = 0; turn < 6; turn += 1) w.attempt(0, 200, 100)
  w.trip()
  w.clock.advance(1000)
  w.attempt(0)
  for (let turn = 0; turn < 6; turn += 1) for (const at of [0, 1, 2]) w.attempt(at, 200, 1)
  w.sweep()
  t.equal(w.state(), 'closed')
})

t.test('probes: every attempt of a request has a verdict of its own', async (t) => {
  const w = new Watched(3)
  w.trip()
  w.clock.advance(1000)
  const exchange = w.send()
  w.answer(exchange, 503)
  w.leave(exchange)
  for (let turn = 0; turn < 4; turn += 1) {
    exchange.endpoint = w.at(1)
    exchange.sentAt = w.clock.now()
    w.health.chosen(exchange, w.at(1))
    t.notOk(exchange.isProbe)
    w.fail(exchange, 'upstream-reset')
  }
  t.equal(w.health.view(w.at(1), w.clock.now()).consecutiveFailures, 4)
})

t.test('probes: a probe of an earlier time has no say', async (t) => {
  const w = ready()
  const first = w.send()
  w.clock.advance(1000)
  w.answer(w.send(), 503)
  w.clock.advance(2000)
  const now = w.send()
  t.ok(now.isProbe)
  w.answer(first, 200)
  t.equal(w.state(), 'half-open')
  w.answer(now, 200)
  t.equal(w.state(), 'closed')
})

t.test('probes: one whose answer breaks off closed the breaker too soon', async (t) => {
  const w = ready()
  const probe = w.send()
  w.answer(probe, 200)
  w.clock.advance(10)
  w.fail(probe, 'response-incomplete')
  t.equal(w.state(), 'open')
  t.equal(w.at(0).ejectedUntil, w.clock.now() + 2000)
})

t.test('probes: one that is slow stays out', async (t) => {
  const w = new Watched(3, { slowerThanPeers: 5, consecutiveFailures: 5 })
  w.trip()
  const busy = (): void => {
    for (let turn = 0; turn < 6; turn += 1) for (const at of [1, 2]) w.attempt(at, 200, 20)
    w.sweep()
  }
  w.clock.advance(1000)
  busy()
  w.attempt(0, 200, 101)
  t.equal(w.state(), 'open')
  t.match(w.events('breaker').at(-1), { reason: 'probe', latencyMilliseconds: 101 })
  w.clock.advance(2000)
  busy()
  w.attempt(0, 200, 99)
  t.equal(w.state(), 'closed')
  w.trip()
  w.pass(20_000)
  w.attempt(0, 200, 5000)
  t.equal(w.state(), 'closed', 'nobody is slow where there is nobody to compare with')
})

t.test('probes: good health takes ejections back, one by one', async (t) => {
  const w = ready()
  w.answer(w.send(), 503)
  w.clock.advance(2000)
  w.answer(w.send(), 503)
  w.clock.advance(4000)
  const lengthAfter = (healthy: number): number => {
    w.attempt(0)
    t.equal(w.state(), 'closed')
    w.clock.advance(healthy)
    w.trip()
    const length = w.at(0).ejectedUntil - w.clock.now()
    w.clock.advance(length)
    return length
  }
  t.equal(lengthAfter(9999), 8000, 'not at once')
  t.equal(lengthAfter(10_000), 8000, 'one back, one more')
  t.equal(lengthAfter(20_000), 4000)
  t.equal(lengthAfter(1_000_000), 1000)
})

t.test('probes: an endpoint that nobody asks for any more is let back', async (t) => {
  const w = new Watched(3)
  w.trip()
  w.pass(60_000)
  t.equal(w.state(), 'open')
  w.pass(1000)
  t.equal(w.state(), 'closed')
  t.match(w.events('breaker').at(-1), { to: 'closed', reason: 'unasked', level: 'info' })
  const rare = new Watched(3, { ejection: { base: 100, max: 500 } })
  rare.trip()
  rare.pass(60_000)
  t.equal(rare.state(), 'open', 'but who is asked for rarely is probed')
  const given = ready()
  given.leave(given.send())
  given.pass(60_000)
  t.equal(given.state(), 'closed', 'also in the middle of it')
})

t.test('slow start: its share grows, and it is over in time', async (t) => {
  const w = ready({ slowStart: 10_000 })
  t.notOk(w.health.isRamping)
  w.attempt(0)
  t.ok(w.health.isRamping)
  const { rampsFrom, rampsUntil } = w.at(0)
  t.same([rampsFrom, rampsUntil], [w.clock.now(), w.clock.now() + 10_000])
  w.pass(9000)
  t.ok(w.health.isRamping)
  w.pass(1000)
  t.notOk(w.health.isRamping)
})

t.test('slow start: an endpoint that trips on its way back begins anew', async (t) => {
  const w = ready()
  w.attempt(0)
  w.clock.advance(1000)
  w.trip()
  t.ok(w.at(0).rampsUntil < w.clock.now())
})

t.test('slow start: 0 is for none', async (t) => {
  const w = ready({ slowStart: 0 })
  w.attempt(0)
  t.equal(w.state(), 'closed')
  t.notOk(w.health.isRamping)
  t.ok(w.at(0).rampsUntil < w.clock.now())
})
