// What the tour's steps look with: sums over sidecars before and after, and waiting for what takes a moment.

import { setTimeout as sleep } from 'node:timers/promises'
import { type Flow, since, sum, type Total } from './metrics.ts'
import type { Shop } from './shop.ts'

export interface Watch {
  /** What was added since; waits (shortly) until every connection that was opened is also closed. */
  settled(): Promise<Total>
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
  return {
    async settled() {
      const limit = performance.now() + SETTLE_LIMIT
      for (;;) {
        const now = since(before, sum(await flowsIn(shop, part)))
        if (now.opened === now.closed || performance.now() > limit) return now
        await sleep(20)
      }
    },
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
): Promise<Value> {
  const end = performance.now() + limit
  for (;;) {
    const value = await ask()
    if (test(value) || performance.now() > end) return value
    await sleep(50)
  }
}
