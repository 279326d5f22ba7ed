// The tour's steps on what keeps one sick instance from taking the rest along: retries and a breaker, faults that a
// policy asks for, and the time that a request has.

import { setTimeout as sleep } from 'node:timers/promises'
import { until } from './observe.ts'
import type { Got } from './shop/client.ts'
import type { SteadyReport } from './shop/steady.ts'
import type { Shop } from './shop.ts'
import { fetchMany } from './steps-traffic.ts'
import type { Step } from './tour.ts'

const WHO = 'http://reviews:9080/who'
const SICK = 'reviews-2'
const STEADY = { connections: 4, rate: 200 } as const
const LIMIT = 8000
const SERVICE = 'reviews.default:9080'

const GUARDED = [
  'retries: { attempts: 2, on: [connect-failure, reset, gateway-error], backoff: { base: 5ms, max: 50ms } }',
  'circuitBreaker: { outlier: { consecutiveFailures: 5, ejection: { base: 1s, max: 10s }, slowStart: 1s } }',
]
const FAULTY = [
  'retries: { attempts: 5, on: [gateway-error], backoff: { base: 1ms, max: 5ms } }',
  'faults: { abort: { status: 503, percent: 30 } }',
]
const TIMED = ['timeouts: { connect: 1s, request: 300ms }', 'faults: { delay: { duration: 5s } }']

export const setAside: Step = {
  name: 'a sick instance is set aside',
  async run(shop) {
    const { connections, rate } = STEADY
    shop.setDemands(GUARDED)
    await until(
      async () => await breakersShown(shop),
      (isShown) => isShown,
      LIMIT,
    )
    const caller = shop.converse('web', 'steady', WHO, String(connections), String(rate))
    await caller.ask('begin')
    await sleep(1000)
    const before = await shop.reached(SICK)
    await shop.tell(SICK, 'sick')
    await sleep(3500)
    const during = await shop.reached(SICK)
    const answersOf = async (): Promise<number> =>
      ((await caller.ask('report')) as SteadyReport).answers[SICK] ?? 0
    const answeredBefore = await answersOf()
    await shop.tell(SICK, 'well')
    const answered = await until(answersOf, (count) => count > answeredBefore + 50, LIMIT)
    const { done, failed, lastError } = (await caller.ask('pause')) as SteadyReport
    await caller.child.stop()
    shop.setDemands([])
    const asked = during.requests - before.requests
    const [retried, ejected] = [
      await shop.sidecar('web').count('underpass_http_retries_total', SERVICE),
      await shop.sidecar('web').count('underpass_ejections_total', SERVICE),
    ]
    const observed = `${SICK} answered 503 for 3.5 s at ${rate} requests a second: it got ${asked} of them, ${retried} were sent again, ${ejected} times it was set aside; ${failed} of ${done} failed${failed > 0 ? ` (${lastError})` : ''}; well again, it answered ${answered - answeredBefore}`
    const share = (3.5 * rate) / 3
    const isOk = failed === 0 && retried > 0 && ejected > 0 && asked < share / 5
    return { isOk: isOk && answered > answeredBefore + 50, observed }
  },
}

export const faulted: Step = {
  name: 'a fault that a policy asks for',
  async run(shop) {
    const count = 100
    shop.setDemands(FAULTY)
    const aborts = async (): Promise<number> =>
      await shop.sidecar('web').count('underpass_http_faults_injected_total', SERVICE)
    await until(
      async () => {
        await fetchMany(shop, 'web', WHO, 5)
        return await aborts()
      },
      (seen) => seen > 0,
      LIMIT,
    )
    const before = await aborts()
    const got = await fetchMany(shop, 'web', WHO, count)
    const injected = (await aborts()) - before
    shop.setDemands([])
    const ok = got.filter(({ status }) => status === 200).length
    const observed = `30 % of the tries were answered 503 by the sidecar, ${injected} in all; with 5 retries ${ok} of ${count} requests had their answer`
    return { isOk: injected > count / 10 && ok >= count - 2, observed }
  },
}

export const timed: Step = {
  name: 'a request has its time',
  async run(shop) {
    shop.setDemands(TIMED)
    const ask = async (): Promise<Got | undefined> => (await fetchMany(shop, 'web', WHO, 1))[0]
    const late = await until(ask, (got) => got?.status === 504, LIMIT)
    const took = late?.took ?? 0
    shop.setDemands([])
    const well = await until(ask, (got) => got?.status === 200, LIMIT)
    const expired = await shop
      .sidecar('web')
      .count('underpass_http_request_failures_total', SERVICE, 'deadline-exceeded')
    const observed = `with 300 ms for a request that a fault holds for 5 s, 504 after ${took.toFixed(0)} ms; ${expired} counted as deadline-exceeded; without the policy ${well?.status ?? 'no answer'}`
    const isInTime = took >= 290 && took < 500
    const isOk = late?.status === 504 && isInTime && expired > 0 && well?.status === 200
    return { isOk, observed }
  },
}

/** The sidecar of web knows of breakers: the policy is in force. */
async function breakersShown(shop: Shop): Promise<boolean> {
  return (await shop.sidecar('web').samples()).some(({ name }) => /^underpass_breaker/.test(name))
}
