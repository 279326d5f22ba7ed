// The tour's steps on what L4 and L7 balance: the busy connection in both modes, and the switch between them.

import { setTimeout as sleep } from 'node:timers/promises'
import { sideBySide } from './bars.ts'
import { Callers, type CallersReport, countsOf } from './callers.ts'
import type { Conversation } from './conversation.ts'
import { flowsIn, inMode, until } from './observe.ts'
import type { Held } from './shop/client.ts'
import { REVIEWS, type Shop } from './shop.ts'
import { describeNames } from './steps-traffic.ts'
import type { Step } from './tour.ts'

const WHO = 'http://reviews:9080/who'
const SECONDS = 3
/** At L4 the instance with the busy connection must have this part of the requests; at L7 no instance that much. */
const MOST_OF_ALL = 0.8
const EVEN = { from: 0.28, to: 0.39 } as const

interface Phase {
  readonly report: CallersReport
  readonly counts: readonly number[]
  /** What the instances' own sidecars counted. */
  readonly counted: readonly number[]
}

export const busy: Step = {
  name: 'one busy connection, two quiet ones',
  async run(shop) {
    const callers = new Callers(shop)
    const measure = async (): Promise<Phase> => await phase(shop, callers)
    const l4 = await inMode(shop, 'l4', ['web'], measure)
    const l7 = await measure()
    await callers.stop()
    const all = [l4, l7]
    const isCounted = all.every(({ counts, counted }) => counts.join() === counted.join())
    const failed = all.reduce(
      (sum, { report }) => sum + report.busy.failed + report.quiet.failed,
      0,
    )
    const isUneven = Math.max(...sharesOf(l4.counts)) >= MOST_OF_ALL
    const isEven = sharesOf(l7.counts).every((share) => share >= EVEN.from && share <= EVEN.to)
    const isAsked = all.every(
      ({ report }) => report.busy.connections === 1 && report.quiet.done > 5,
    )
    const { report } = l4
    const same = isCounted
      ? "as the instances' own sidecars counted them"
      : `but the instances' own sidecars counted ${all.map(({ counted }) => counted.join(' + ')).join(', ')}`
    const observed = `${report.busy.done} requests on ${report.busy.connections} connection, ${report.quiet.done} on ${report.quiet.connections}; ${failed} failed; ${same}`
    const lines = sideBySide(REVIEWS, [
      { title: 'L4: connections are balanced', counts: l4.counts },
      { title: 'L7: requests are balanced', counts: l7.counts },
    ])
    return { isOk: isCounted && isUneven && isEven && isAsked && failed === 0, observed, lines }
  },
}

async function phase(shop: Shop, callers: Callers): Promise<Phase> {
  const before = await requestsInto(shop)
  await callers.begin()
  await sleep(SECONDS * 1000)
  const report = await callers.pause()
  const counts = countsOf(report)
  const ask = async (): Promise<number[]> =>
    (await requestsInto(shop)).map((each, at) => each - (before[at] ?? 0))
  const counted = await until(ask, (now) => now.join() === counts.join(), 2000)
  return { report, counts, counted }
}

async function requestsInto(shop: Shop): Promise<number[]> {
  return await Promise.all(
    REVIEWS.map(async (name) => {
      const flows = await flowsIn(shop, { pods: [name], direction: 'inbound' })
      return flows.reduce((all, { requests }) => all + requests, 0)
    }),
  )
}

function sharesOf(counts: readonly number[]): number[] {
  const all = counts.reduce((sum, count) => sum + count, 0)
  return counts.map((count) => (all === 0 ? 0 : count / all))
}

export const toggled: Step = {
  name: 'switched while connections are open',
  async run(shop) {
    const count = 30
    const web = shop.sidecar('web')
    const helds = await inMode(shop, 'l4', ['web'], async () => {
      const first = await open(shop)
      await web.setMode('l7')
      const second = await open(shop)
      const old = await ask(first, count)
      await web.setMode('l4')
      const third = await open(shop)
      return [old, await ask(second, count), await ask(third, count)] as const
    })
    const [old, spread, stuck] = helds
    const isOne = [old, stuck].every(({ names }) => new Set(names).size === 1)
    const isSpread = REVIEWS.every(
      (name) => spread.names.filter((each) => each === name).length >= count / 6,
    )
    const isSame = helds.every(({ connections }) => connections === 1)
    const observed = `begun at L4, after PUT /mode?to=l7: ${describeNames(old.names)}; begun then: ${describeNames(spread.names)}, and that after PUT /mode?to=l4; begun then: ${describeNames(stuck.names)}`
    return { isOk: isOne && isSpread && isSame, observed }
  },
}

/** A connection that has carried one request. */
async function open(shop: Shop): Promise<Conversation> {
  const held = shop.converse('web', 'hold', WHO, '1')
  await held.next()
  return held
}

/** So many more on it; closes it then. */
async function ask(held: Conversation, count: number): Promise<Held> {
  const answer = (await held.ask(String(count))) as Held
  await held.child.stop()
  return answer
}
