// A closed loop over gRPC: so many lanes on one connection, each of which makes one call after another.

import { Client, credentials } from '@grpc/grpc-js'
import { OPTIONS } from '../grpc.ts'
import type { Figures, Mark, Orders } from './client.ts'
import { Latency } from './latency.ts'

/**
 * This client makes a tenth of the requests that one of raw frames makes in the same time, and it is by requests that
 * V8 finds out what to compile.
 */
const WARMUPS = 5

/** One call and its check, with figures to be added up; rejects if anything is wrong with it. */
export type Call = (client: Client) => Promise<Figures>

async function phase(client: Client, call: Call, lanes: number, seconds: number): Promise<Figures> {
  const latency = new Latency()
  const start = performance.now()
  const deadline = start + seconds * 1000
  let count = 0
  const sums: Record<string, number> = {}
  const lane = async (): Promise<void> => {
    for (let now = performance.now(); now < deadline; ) {
      const figures = await call(client)
      const end = performance.now()
      latency.record(end - now)
      count++
      for (const name in figures) sums[name] = (sums[name] ?? 0) + (figures[name] ?? 0)
      now = end
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return { ...sums, count, seconds: (performance.now() - start) / 1000, ...latency.figures() }
}

/** The work of a client that is nothing but such a loop; orders count lanes, not connections. */
export function lanes(call: Call): (orders: Orders, mark: Mark) => Promise<Figures> {
  return async ({ port, connections, warmup, seconds }, mark) => {
    const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
      ...OPTIONS,
      'grpc.enable_http_proxy': 0,
      // The configuration that it would ask DNS for.
      'grpc.service_config_disable_resolution': 1,
    })
    await phase(client, call, connections, warmup * WARMUPS)
    await mark('warm')
    return await phase(client, call, connections, seconds)
  }
}
