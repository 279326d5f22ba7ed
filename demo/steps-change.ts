// The tour's steps on what changes under traffic: an instance dies, comes back, and is taken out by an edit.

import { setTimeout as sleep } from 'node:timers/promises'
import { difference, flowsIn, inMode, type Part, until } from './observe.ts'
import type { Held } from './shop/client.ts'
import type { SteadyReport } from './shop/steady.ts'
import { REVIEWS, type Shop } from './shop.ts'
import { answered, describeNames, describeShares, fetchMany } from './steps-traffic.ts'
import type { Step, Verdict } from './tour.ts'

const WHO = 'http://reviews:9080/who'
const RATE = 40
const VICTIM = 'reviews-2'
/** Requests a second, and their connections. */
const STEADY = { connections: 4, rate: 200 } as const
const EDITED = 'reviews-3'
const LIMIT = 8000

export const killed: Step = {
  name: 'an instance is killed, L4',
  async run(shop) {
    return await inMode(shop, 'l4', ['web'], async () => await killBetweenPages(shop))
  },
}

async function killBetweenPages(shop: Shop): Promise<Verdict> {
  const failures = async (): Promise<Map<string, number>> => reasons(shop, shop.pod(VICTIM).ip)
  const before = await failures()
  const start = await shop.customer('report')
  await shop.customer(`rate ${RATE}`)
  await sleep(1000)
  // Between two pages, so that none is lost in the middle of its answer: at L4 no proxy could give that one back.
  await shop.customer('pause')
  await shop.kill(VICTIM)
  await shop.customer(`rate ${RATE}`)
  await sleep(2500)
  const end = await shop.customer('pause')
  const done = end.done - start.done
  const failed = end.failed - start.failed
  const [count, met] = describeReasons(difference(before, await failures()))
  const observed = `killed between two of ${done} pages at ${RATE} a second, ${failed} failed${failed > 0 ? ` (${end.lastError})` : ''}; ${met === '' ? 'no connection' : met} met ${VICTIM} and went to another instance`
  return { isOk: failed === 0 && done > RATE && count > 0, observed }
}

export const struck: Step = {
  name: 'an instance is killed under requests, L7',
  async run(shop) {
    const { connections, rate } = STEADY
    const failures = async (): Promise<Map<string, number>> => reasons(shop, shop.pod(VICTIM).ip)
    const before = await failures()
    const caller = shop.converse('web', 'steady', WHO, String(connections), String(rate))
    await caller.ask('begin')
    await sleep(1000)
    // In the middle of it: a request that was on its way to the instance is sent again to another.
    await shop.kill(VICTIM)
    const then = (await caller.ask('report')) as SteadyReport
    await sleep(2000)
    const { done, failed, lastError } = (await caller.ask('pause')) as SteadyReport
    await caller.child.stop()
    const had = then.answers[VICTIM] ?? 0
    const [count, met] = describeReasons(difference(before, await failures()))
    const observed = `killed after ${had} of its answers, in the middle of ${done} GETs at ${rate} a second; ${failed} failed${failed > 0 ? ` (${lastError})` : ''}; ${met === '' ? 'no connection' : met} met ${VICTIM}, and the others answered`
    const isOk = failed === 0 && had > rate / 10 && done - then.done > rate && count > 0
    return { isOk, observed }
  },
}

function describeReasons(added: ReadonlyMap<string, number>): [count: number, text: string] {
  const count = [...added.values()].reduce((all, each) => all + each, 0)
  return [count, [...added].map(([reason, times]) => `${times} ${reason}`).join(', ')]
}

export const restarted: Step = {
  name: 'and started again',
  async run(shop) {
    await shop.restart(VICTIM)
    const got = await until(
      async () => await fetchMany(shop, 'web', WHO, 30),
      (all) => all.filter(({ body }) => body?.from === VICTIM).length >= 5,
      LIMIT,
    )
    const own = got.filter(({ body }) => body?.from === VICTIM).length
    const isOk = own >= 5 && answered(got) === 30
    return { isOk, observed: `30 connections: ${describeShares(got)}` }
  },
}

/** After the other way to die. */
export const restartedAgain: Step = { ...restarted, name: 'and again started' }

export const edited: Step = {
  name: 'a manifest is edited',
  async run(shop) {
    const held = shop.converse('web', 'hold', WHO, '6')
    const before = await inMode(shop, 'l4', ['web'], async () => (await held.next()) as Held)
    const asking = shop.converse('web', 'hold', WHO, '1')
    await asking.next()
    const start = performance.now()
    shop.setReady(EDITED, false)
    const reached = await until(
      async () => await fetchMany(shop, 'web', WHO, 6),
      (all) => all.every(({ body }) => body?.from !== EDITED),
      LIMIT,
    )
    const took = performance.now() - start
    const got = (await asking.ask('30')) as Held
    const after = (await held.ask('1')) as Held
    await Promise.all([held.child.stop(), asking.child.stop()])
    shop.setReady(EDITED, true)
    const isOut =
      reached.every(({ body }) => body?.from !== EDITED) && got.names.every(isOther(EDITED))
    const isKept = before.names.join() === after.names.join() && after.connections === 6
    const there = before.names.filter((name) => name === EDITED).length
    const kept = isKept
      ? `6 open connections of L4 undisturbed, ${there} of them to ${EDITED}`
      : `open connections were ${before.names.join(', ')} and are ${after.names.join(', ')}, ${after.connections} made`
    const observed = `${EDITED} not ready: seen within ${Math.ceil(took)} ms; 30 requests on a connection that was open: ${describeNames(got.names)}; ${kept}`
    const isSpread = new Set(got.names).size === REVIEWS.length - 1
    return { isOk: isOut && isSpread && isKept && there > 0, observed }
  },
}

/** True of the other instances. */
function isOther(left: string): (name: string) => boolean {
  const others: readonly string[] = REVIEWS.filter((name) => name !== left)
  return (name) => others.includes(name)
}

export const restored: Step = {
  name: 'and edited back',
  async run(shop) {
    const got = await until(
      async () => await fetchMany(shop, 'web', WHO, 30),
      (all) => REVIEWS.every((name) => all.some(({ body }) => body?.from === name)),
      LIMIT,
    )
    const isOk = answered(got) === 30 && got.some(({ body }) => body?.from === EDITED)
    return { isOk, observed: `30 connections: ${describeShares(got)}` }
  },
}

/** Why connections from web to an address failed, and how often. */
async function reasons(shop: Shop, ip: string): Promise<Map<string, number>> {
  const part: Part = { pods: ['web'], direction: 'outbound', endpoint: `${ip}:` }
  const all = new Map<string, number>()
  for (const flow of await flowsIn(shop, part)) {
    for (const [reason, times] of flow.reasons) all.set(reason, (all.get(reason) ?? 0) + times)
  }
  return all
}
