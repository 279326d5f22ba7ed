// The scenarios that are about many small exchanges or many bytes, at L4 and at L7.

import type { ClientName, ServerName } from '../processes.ts'
import { OURS } from '../targets/underpass.ts'
import { load, PROXY_METRICS, proxyFigures } from './load.ts'
import { connectionLimit, each, MEGA, type Metric, type Scenario } from './scenario.ts'

export type About = Pick<Scenario, 'name' | 'title' | 'connections' | 'counted'>

const LATENCIES: readonly Metric[] = [
  { key: 'p50', title: 'p50 ms', digits: 2 },
  { key: 'p90', title: 'p90 ms', digits: 2 },
  { key: 'p99', title: 'p99 ms', digits: 2 },
]

export function perCount(
  about: About,
  server: ServerName,
  client: ClientName,
  thing: string,
): Scenario {
  return {
    ...about,
    ours: OURS,
    compared: 'cpu',
    metrics: [
      { key: 'cpu', title: `CPU µs/${thing}`, digits: 1 },
      { key: 'rate', title: `${thing}s/s`, digits: 0 },
      ...LATENCIES,
      ...PROXY_METRICS,
    ],
    limit: connectionLimit,
    contenders: each(async (run) => {
      const measured = await load(run, server, client)
      const { count = 0, seconds = Number.NaN, p50 = 0, p90 = 0, p99 = 0 } = measured.figures
      if (count === 0) throw new Error(`not a single ${thing}`)
      const own = proxyFigures(measured, (micros) => micros / count)
      return { ...own, rate: count / seconds, p50, p90, p99 }
    }),
  }
}

export function perByte(
  about: About,
  server: ServerName,
  client: ClientName,
  more: readonly Metric[] = [],
): Scenario {
  return {
    ...about,
    ours: OURS,
    compared: 'cpu',
    metrics: [
      { key: 'cpu', title: 'CPU ms/GB', digits: 0 },
      { key: 'rate', title: 'MB/s', digits: 0 },
      ...more,
      ...PROXY_METRICS,
    ],
    limit: connectionLimit,
    contenders: each(async (run) => {
      const measured = await load(run, server, client)
      const { bytes = 0, seconds = Number.NaN } = measured.figures
      const own = proxyFigures(measured, (micros) => micros / MEGA / (bytes / 1e12))
      const others = more.map(({ key }) => [key, measured.figures[key] ?? 0] as const)
      const about = { rate: bytes / MEGA / seconds, gigabytes: bytes / 1e9 }
      return { ...Object.fromEntries(others), ...own, ...about }
    }),
  }
}

const SMALL: About = {
  name: 'small',
  title: 'Small requests over kept-alive connections (autocannon, answers of 37 bytes)',
  connections: 64,
}
const SMALL_RAW: About = {
  name: 'small-raw',
  title: 'Small requests over kept-alive connections (own closed-loop client)',
  connections: 64,
}

export const small: Scenario = perCount(SMALL, 'answers', 'autocannon', 'request')
export const smallRaw: Scenario = perCount(SMALL_RAW, 'answers', 'requests', 'request')

export const connections: Scenario = perCount(
  {
    name: 'connections',
    title: 'New connections (open, one request, close)',
    connections: 32,
  },
  'answers',
  'connections',
  'connection',
)

export const bulk: Scenario = perByte(
  {
    name: 'bulk',
    title: 'Bulk (half of the connections download, half upload)',
    connections: 8,
  },
  'bulk',
  'bulk',
)

export const httpSmall: Scenario = perCount(SMALL, 'http', 'autocannon', 'request')
export const httpSmallRaw: Scenario = perCount(SMALL_RAW, 'http', 'http-requests', 'request')

export const httpBulk: Scenario = perByte(
  {
    name: 'bulk',
    title: 'Bodies of 1 MiB (half of the connections download, half upload)',
    connections: 8,
  },
  'http',
  'http-bulk',
)
