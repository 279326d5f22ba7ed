// What is counted of an endpoint over the last seconds: requests, their failures, their latencies; and the arithmetic
// of ejections and of peers.

import t from 'tap'
import { DEFAULT_OUTLIER } from '../../../src/api/resources.ts'
import { seededRandom } from '../../../src/lib/random.ts'
import {
  allowance,
  drawLength,
  following,
  forgiven,
  lengthOf,
} from '../../../src/proxy/resilience/ejection.ts'
import { LatencyWindow } from '../../../src/proxy/resilience/latency-window.ts'
import { isSlow, PeerLatency } from '../../../src/proxy/resilience/peer-latency.ts'
import { RequestWindow } from '../../../src/proxy/resilience/request-window.ts'

t.test('request window: rates of what it holds', async (t) => {
  const window = new RequestWindow(10_000)
  t.equal(window.total, 0)
  t.ok(Number.isNaN(window.successRate))
  window.succeeded({ now: 500 })
  window.failed({ now: 1500.5 })
  window.failed({ now: 2500 })
  window.succeeded({ now: 2600 })
  t.equal(window.total, 4)
  t.equal(window.successRate, 0.5)
  window.clear()
  t.equal(window.total, 0)
})

t.test('request window: it slides by whole seconds', async (t) => {
  const window = new RequestWindow(3000)
  window.failed({ now: 999 })
  window.succeeded({ now: 1000 })
  window.succeeded({ now: 2999 })
  t.equal(window.total, 3)
  window.roll({ now: 3000 })
  t.same([window.total, window.successRate], [2, 1], 'the first second is over')
  window.roll({ now: 4000 })
  t.equal(window.total, 1)
  window.roll({ now: 1_000_000 })
  t.equal(window.total, 0, 'also after a long rest')
  window.failed({ now: 1_000_100 })
  t.equal(window.successRate, 0)
  window.failed({ now: 999_000 })
  t.equal(window.total, 2, 'time that went back stands still')
})

t.test('request window: a response that breaks off takes its success back', async (t) => {
  const window = new RequestWindow(3000)
  window.succeeded({ now: 0 })
  window.succeeded({ now: 0 })
  window.broke({ now: 100 })
  t.same([window.total, window.successRate], [2, 0.5])
  window.broke({ now: 3500 })
  t.same([window.total, window.successRate], [1, 0], 'also when the success has left the window')
})

t.test('request window: against counting everything anew', async (t) => {
  const seed = 11
  const random = seededRandom(seed)
  for (const length of [400, 1000, 2500, 10_000, 60_000, 3_600_000]) {
    const window = new RequestWindow(length)
    const width = Math.max(1000, length / 60)
    const buckets = Math.max(1, Math.ceil(length / width))
    const all: { stretch: number; ok: boolean }[] = []
    let now = 5000 * random()
    for (let turn = 0; turn < 2000; turn += 1) {
      now += random() < 0.01 ? 2 * length * random() : (length / 50) * random()
      const ok = random() < 0.7
      if (ok) window.succeeded({ now })
      else window.failed({ now })
      const stretch = Math.floor(now / width)
      all.push({ stretch, ok })
      const held = all.filter((each) => each.stretch > stretch - buckets)
      const rate = held.filter((each) => each.ok).length / held.length
      if (window.total !== held.length || Math.abs(window.successRate - rate) > 1e-9) {
        t.fail(`seed ${seed}, ${length} ms, turn ${turn}: ${window.total} of ${held.length}`)
      }
    }
  }
})

/** So long after it was sent. */
function answered(now: number, latency: number): { now: number; sentAt: number } {
  return { now, sentAt: now - latency }
}

t.test('latency window: the mean of all but the slowest, of five seconds', async (t) => {
  const window = new LatencyWindow()
  t.ok(Number.isNaN(window.mean(0, 1)))
  window.add(answered(0, 7))
  t.equal(window.mean(0, 1), 7, 'the only one is not left out')
  t.ok(Number.isNaN(window.mean(0, 2)))
  window.add(answered(1000, 1))
  window.add(answered(2000, 5000))
  window.add(answered(2000, 4))
  t.equal(window.mean(2000, 4), 4)
  t.equal(window.mean(5000, 1), 2.5, 'the 7 is too old')
  t.ok(Number.isNaN(window.mean(7000, 1)))
  window.add(answered(7000, 3))
  window.clear()
  t.ok(Number.isNaN(window.mean(7000, 1)))
})

t.test('peers: medians with and without one of them', async (t) => {
  t.ok(Number.isNaN(new PeerLatency([]).median))
  t.ok(Number.isNaN(new PeerLatency([NaN, NaN]).median))
  t.equal(new PeerLatency([4]).median, 4)
  t.ok(Number.isNaN(new PeerLatency([4]).withoutOne(4)))
  t.equal(new PeerLatency([9, NaN, 4]).withoutOne(9), 4)
  const seed = 3
  const random = seededRandom(seed)
  for (let turn = 0; turn < 500; turn += 1) {
    const all = Array.from({ length: 2 + Math.floor(random() * 8) }, () => Math.ceil(random() * 6))
    const peers = new PeerLatency(all)
    t.equal(peers.median, medianOf(all), `seed ${seed}`)
    for (const [at, one] of all.entries()) {
      t.same(peers.withoutOne(one), medianOf(all.toSpliced(at, 1)), `${all.join(' ')}: ${one}`)
    }
  }
})

function medianOf(all: readonly number[]): number {
  const sorted = all.toSorted((one, other) => one - other)
  const half = sorted.length >> 1
  const upper = sorted[half] ?? NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? NaN) + upper) / 2
}

t.test('peers: slow is by a factor, and by ten milliseconds at least', async (t) => {
  t.ok(isSlow(501, 100, 5))
  t.notOk(isSlow(500, 100, 5))
  t.notOk(isSlow(9, 0.2, 5), 'noise')
  t.ok(isSlow(10.2, 0.2, 5))
  t.notOk(isSlow(1000, 1, 0), 'no policy asks')
  t.notOk(isSlow(1000, NaN, 5), 'nobody to compare with')
  t.notOk(isSlow(NaN, 1, 5))
})

t.test('ejection: each lasts twice as long, with a tenth of chance, up to a maximum', async (t) => {
  const lengths = [1, 2, 3, 6, 7, 8, 2000].map((nth) => lengthOf(DEFAULT_OUTLIER, nth))
  t.same(lengths, [1000, 2000, 4000, 32_000, 60_000, 60_000, 60_000])
  t.equal(
    drawLength(DEFAULT_OUTLIER, 2, () => 0),
    2000,
  )
  const most = drawLength(DEFAULT_OUTLIER, 2, () => 0.999)
  t.ok(most > 2190 && most < 2200)
  let nth = 0
  for (let turn = 0; turn < 100; turn += 1) nth = following(DEFAULT_OUTLIER, nth)
  t.equal(nth, 7, 'it is not counted further than it matters')
})

t.test('ejection: good health takes back one step after the other', async (t) => {
  const after = (healthy: number): number => forgiven(DEFAULT_OUTLIER, 6, healthy)
  t.same([0, 31_999, 32_000, 47_999, 48_000].map(after), [6, 6, 5, 5, 4])
  t.equal(after(32_000 + 16_000 + 40_000), 0, 'short ones as slowly as the window')
  t.equal(after(Number.POSITIVE_INFINITY), 0)
  t.equal(forgiven(DEFAULT_OUTLIER, 0, 5), 0)
})

t.test('ejection: how many may be out at once', async (t) => {
  const of = (maxEjectedPercent: number): number[] =>
    [0, 1, 2, 3, 4, 10].map((count) => allowance({ ...DEFAULT_OUTLIER, maxEjectedPercent }, count))
  t.same(of(50), [0, 0, 1, 1, 2, 5])
  t.same(of(10), [0, 0, 1, 1, 1, 1])
  t.same(of(99), [0, 0, 1, 2, 3, 9])
  t.same(of(100), [0, 1, 2, 3, 4, 10])
  t.same(of(0), [0, 0, 0, 0, 0, 0])
})
