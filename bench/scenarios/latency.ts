// Latency at a rate that every target carries with ease: what it adds, not how it queues.
//
// The client is open loop and measures from the schedule. What a proxy adds is its quantile less the direct
// connection's of the same round; the client's own lateness is in both, and is shown.

import { OURS } from '../targets/underpass.ts'
import { load } from './load.ts'
import { connectionLimit, each, type Scenario } from './scenario.ts'

const QUANTILES = ['p50', 'p90', 'p99', 'p999'] as const

export const latency: Scenario = {
  name: 'latency',
  title: 'Latency at 1,000 requests/s (open loop, from the scheduled time)',
  connections: 64,
  ours: OURS,
  compared: 'p50',
  metrics: [
    { key: 'p50', title: 'p50 ms', digits: 3 },
    { key: 'p90', title: 'p90 ms', digits: 3 },
    { key: 'p99', title: 'p99 ms', digits: 3, spread: true },
    { key: 'p999', title: 'p99.9 ms', digits: 3 },
    { key: 'sent50', title: 'from sending p50 ms', digits: 3 },
    { key: 'sent99', title: 'from sending p99 ms', digits: 3 },
    { key: 'late50', title: 'client late p50 ms', digits: 3 },
    { key: 'late99', title: 'client late p99 ms', digits: 3 },
    { key: 'rate', title: 'requests/s', digits: 0 },
    { key: 'opened', title: 'connections', digits: 0 },
  ],
  added: QUANTILES,
  limit: connectionLimit,
  contenders: each(async (run) => {
    const { figures } = await load(run, 'http', 'open-loop')
    const { count = 0, seconds = Number.NaN, connections = Number.NaN, ...rest } = figures
    return { ...rest, rate: count / seconds, opened: connections }
  }),
}
