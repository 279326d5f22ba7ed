// What the tour's steps look with: sums over sidecars before and after, and waiting for what takes a moment.

import { setTimeout as sleep } from 'node:timers/promises'
import { type Flow, since, sum, type Total } from './metrics.ts'
import type { Shop } from './shop.ts'
import type { Mode } from './sidecar.ts'

export interface Watch {
  /** What was added since; waits (shortly) until every connection that was opened is also closed. */
  settled(): Promise<Total>
  /** What was added since; waits (shortly) until so many requests are counted and none is under way. */
  answered(count: number): Promise<Total>
  /** What was added since; waits (shortly) for that to be true. */
  settledOn(test: (now: Total) => boolean): Promise<Total>
}

/** Which flows of which sidecars. */
export interface Part {
  readonly pods: readonly string[]
  readonly direction: 'outbound' | 'inbound'
  /** `reviews.default:9080`, `egress`; any if left out. */
  readonly service?: string
  /** An address that the endpoint must begin with. */
  readonly endpoint?: string
}

const SETTLE_LIMIT = 3000

export async function watch(shop: Shop, part: Part): Promise<Watch> {
  const before = sum(await flowsIn(shop, part))
  const ask = async (): Promise<Total> => since(before, sum(await flowsIn(shop, part)))
  const settledOn = async (test: (now: Total) => boolean): Promise<Total> =>
    await until(ask, test, SETTLE_LIMIT, 20)
  return {
    settled: async () => await settledOn(({ opened, closed }) => opened === closed),
    answered: async (count) =>
      await settledOn(({ requests, active }) => requests >= count && active <= 0),
    settledOn,
  }
}

export async function flowsIn(shop: Shop, part: Part): Promise<Flow[]> {
  const { direction, service, endpoint } = part
  const all = await Promise.all(part.pods.map(async (name) => await shop.sidecar(name).flows()))
  return all
    .flat()
    .filter((flow) => flow.direction === direction)
    .filter((flow) => service === undefined || flow.service === service)
    .filter((flow) => endpoint === undefined || flow.endpoint.startsWith(endpoint))
}

/** Asks until `test` is true, for at most `limit` milliseconds; gives the last answer. */
export async function until<Value>(
  ask: () => Promise<Value>,
  test: (value: Value) => boolean,
  limit: number,
  pause = 50,
): Promise<Value> {
  const end = performance.now() + limit
  for (;;) {
    const value = await ask()
    if (test(value) || performance.now() > end) return value
    await sleep(pause)
  }
}

/** Does a task while the sidecars of some pods are in that mode; afterwards they are in L7 again, as the shop is. */
export async function inMode<Value>(
  shop: Shop,
  mode: Mode,
  pods: readonly string[],
  task: () => Promise<Value>,
): Promise<Value> {
  const set = async (to: Mode): Promise<void> => {
    await Promise.all(
      pods.map(async (name) => {
        await shop.sidecar(name).setMode(to)
      }),
    )
  }
  try {
    await set(mode)
    return await task()
  } finally {
    await set('l7')
  }
}

/** What was added from one count by name to a later one. */
export function difference(
  before: ReadonlyMap<string, number>,
  now: ReadonlyMap<string, number>,
): Map<string, number> {
  const added = [...now].map(([key, value]) => [key, value - (before.get(key) ?? 0)] as const)
  return new Map(added.filter(([, value]) => value > 0))
}
