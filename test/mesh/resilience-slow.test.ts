// One of three instances becomes fifty times slower than the others, and fails nothing: how long clients feel it. With
// a breaker that compares instances, and without one.

import t, { type Test } from 'tap'
import { insideWorld } from '../../demo/pods/world.ts'
import type { Fields } from '../support/mesh.ts'
import { type LoadReport, median, mediansOfThree } from '../support/open-load.ts'
import { Trio } from '../support/trio.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/resilience-slow'

const RATE = 300
/** Nothing waits for a place here: the time that it takes is all that changes. */
const CAPACITY = { serviceMs: 20, concurrency: 400 }
const TIMES = 50
const TURN = { algorithm: 'roundRobin' }
/** What may be taken for the healthy p99 where it is less: a busy machine is as slow as that, in milliseconds. */
const FLOOR = 50

interface Slowness {
  readonly report: LoadReport
  /** Median of the seconds before. */
  readonly healthy: number
  /** Of each whole second from the change on, the median of three that follow each other. */
  readonly after: readonly number[]
}

t.test('resilience: an instance that is slow', { skip }, async (t) => {
  const trio = await Trio.open(t, CAPACITY)
  const [slow] = trio.apps
  if (slow === undefined) throw new Error('no instances')

  const slacken = async (name: string, spec: Fields, seconds: number): Promise<Slowness> => {
    const url = await trio.service(name, spec)
    const load = await trio.load({ url, rate: RATE })
    await load.goesOn(3)
    const from = slow.tell({ mode: 'slow', times: TIMES })
    await load.goesOn(seconds)
    const report = await load.stop()
    slow.tell({ mode: 'ok' })
    // The first second pays for connections and for code that was never run.
    const begun = report.loaded.startedAt
    const before = report.seconds(begun + 1000, from).map(({ p99 }) => p99)
    const after = report.seconds(from).map(({ p99 }) => p99)
    return { report, healthy: median(before), after: mediansOfThree(after) }
  }
  const tell = (t: Test, what: string, { report, healthy, after }: Slowness): void => {
    report.comment(t, what)
    const figures = after.map((p99) => p99.toFixed(0)).join(', ')
    t.comment(`${what}: p99 ${healthy.toFixed(0)} ms before; after it, median of three: ${figures}`)
  }
  const limitOf = ({ healthy }: Slowness): number => 1.5 * Math.max(healthy, FLOOR)

  await t.test('resilience: without a breaker a third of the requests is slow', async (t) => {
    const seen = await slacken('even', { loadBalancer: TURN }, 4)
    tell(t, 'no breaker', seen)
    t.ok(Math.min(...seen.after) > limitOf(seen), 'and it stays so')
  })

  await t.test('resilience: a breaker finds it by its peers', async (t) => {
    const outlier = { slowerThanPeers: 5, minRequests: 10, ejection: { base: '2s', max: '30s' } }
    const spec = { loadBalancer: TURN, circuitBreaker: { outlier } }
    const seen = await slacken('guarded', spec, 10)
    tell(t, 'breaker', seen)
    const later = seen.after.slice(5)
    t.ok(later.length >= 2, `${later.length} seconds`)
    const worst = Math.max(...later)
    t.ok(worst <= limitOf(seen), `p99 ${worst.toFixed(0)} of ${limitOf(seen).toFixed(0)} ms`)
    t.equal(seen.report.all.ok, seen.report.all.sent, 'nothing failed')
  })
})
