// The tour's steps on what changes under traffic: an instance dies, comes back, and is taken out by an edit.

import { setTimeout as sleep } from 'node:timers/promises'
import { flowsIn, type Part, until } from './observe.ts'
import type { Held } from './shop/client.ts'
import { REVIEWS, type Shop } from './shop.ts'
import { answered, describeShares, fetchMany } from './steps-traffic.ts'
import type { Step } from './tour.ts'

const WHO = 'http://reviews:9080/who'
const RATE = 40
const VICTIM = 'reviews-2'
const EDITED = 'reviews-3'
const LIMIT = 8000

export const killed: Step = {
  name: 'an instance is killed under traffic',
  async run(shop) {
    const failures = async (): Promise<Map<string, number>> => reasons(shop, shop.pod(VICTIM).ip)
    const before = await failures()
    const start = await shop.customer('report')
    await shop.customer(`rate ${RATE}`)
    await sleep(1000)
    // Between two pages, so that none is lost in the middle of its answer: no proxy could give that one back.
    await shop.customer('pause')
    await shop.kill(VICTIM)
    await shop.customer(`rate ${RATE}`)
    await sleep(2500)
    const end = await shop.customer('pause')
    const done = end.done - start.done
    const failed = end.failed - start.failed
    const why = difference(before, await failures())
    const count = [...why.values()].reduce((all, each) => all + each, 0)
    const met = [...why].map(([reason, times]) => `${times} ${reason}`).join(', ')
    const observed = `killed between two of ${done} pages at ${RATE} a second, ${failed} failed${failed > 0 ? ` (${end.lastError})` : ''}; ${met === '' ? 'no connection' : met} met ${VICTIM} and went to another instance`
    return { isOk: failed === 0 && done > RATE && count > 0, observed }
  },
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

export const edited: Step = {
  name: 'a manifest is edited',
  async run(shop) {
    const held = shop.converse('web', 'hold', WHO, '6')
    const before = (await held.next()) as Held
    const start = performance.now()
    shop.setReady(EDITED, false)
    const reached = await until(
      async () => await fetchMany(shop, 'web', WHO, 6),
      (all) => all.every(({ body }) => body?.from !== EDITED),
      LIMIT,
    )
    const took = performance.now() - start
    const got = await fetchMany(shop, 'web', WHO, 30)
    const after = (await held.ask('again')) as Held
    await held.child.stop()
    shop.setReady(EDITED, true)
    const isOut = [...reached, ...got].every(({ body }) => body?.from !== EDITED)
    const isKept = before.names.join() === after.names.join() && after.connections === 6
    const there = before.names.filter((name) => name === EDITED).length
    const kept = isKept
      ? `6 open connections undisturbed, ${there} of them to ${EDITED}`
      : `open connections were ${before.names.join(', ')} and are ${after.names.join(', ')}, ${after.connections} made`
    const observed = `${EDITED} not ready: seen within ${Math.ceil(took)} ms; 30 new connections: ${describeShares(got)}; ${kept}`
    return { isOk: isOut && isKept && there > 0 && answered(got) === 30, observed }
  },
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

function difference(before: Map<string, number>, now: Map<string, number>): Map<string, number> {
  const added = [...now].map(([key, value]) => [key, value - (before.get(key) ?? 0)] as const)
  return new Map(added.filter(([, value]) => value > 0))
}
