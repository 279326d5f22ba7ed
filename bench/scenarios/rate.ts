// The scenarios that are about many small exchanges or many bytes: warm up, read the books, load, read them again.
//
// The client stands still at a mark while the books are read, so the CPU time covers exactly what was counted.

import { type Cpu, cpuBetween, usageOf } from '../accounting.ts'
import type { Figures } from '../clients/client.ts'
import { Client, type ClientName, type ServerName, startServer } from '../load.ts'
import { connectionLimit, MEGA, type Metric, type Run, type Scenario } from './scenario.ts'

interface Measured {
  readonly figures: Figures
  /** Undefined where there is no proxy. */
  readonly proxy: { readonly cpu: Cpu; readonly peak: number } | undefined
}

const LATENCIES: readonly Metric[] = [
  { key: 'p50', title: 'p50 ms', digits: 2 },
  { key: 'p90', title: 'p90 ms', digits: 2 },
  { key: 'p99', title: 'p99 ms', digits: 2 },
]
const PROXY: readonly Metric[] = [
  { key: 'busy', title: 'core busy %', digits: 0 },
  { key: 'user', title: 'of it user %', digits: 0 },
  { key: 'peak', title: 'peak RSS MB', digits: 1 },
]

async function load(run: Run, server: ServerName, client: ClientName): Promise<Measured> {
  const { stage, target, connections, warmup, seconds } = run
  const backend = await startServer(stage, server)
  const { port, pid } = await target.start(stage, backend)
  const generator = new Client(stage, client, { port, connections, warmup, seconds })
  await generator.reaches('warm')
  const before = pid === undefined ? undefined : usageOf(pid)
  generator.proceed()
  const figures = await generator.figures()
  if (pid === undefined || before === undefined) return { figures, proxy: undefined }
  const after = usageOf(pid)
  return { figures, proxy: { cpu: cpuBetween(before, after), peak: after.peak } }
}

function proxyFigures({ figures, proxy }: Measured, cost: (micros: number) => number): Figures {
  if (proxy === undefined) return {}
  const { cpu, peak } = proxy
  return {
    cpu: cost(cpu.micros),
    busy: (cpu.micros / MEGA / (figures['seconds'] ?? Number.NaN)) * 100,
    // Too little work to hold a single tick says nothing about its split.
    ...(Number.isNaN(cpu.userShare) ? {} : { user: cpu.userShare * 100 }),
    peak: peak / MEGA,
  }
}

function perCount(
  about: Pick<Scenario, 'name' | 'title' | 'connections'>,
  client: ClientName,
  thing: string,
): Scenario {
  return {
    ...about,
    cost: 'cpu',
    metrics: [
      { key: 'cpu', title: `CPU µs/${thing}`, digits: 1 },
      { key: 'rate', title: `${thing}s/s`, digits: 0 },
      ...LATENCIES,
      ...PROXY,
    ],
    needsProxy: false,
    limit: connectionLimit,
    async measure(run) {
      const measured = await load(run, 'answers', client)
      const { count = 0, seconds = Number.NaN, p50 = 0, p90 = 0, p99 = 0 } = measured.figures
      if (count === 0) throw new Error(`not a single ${thing}`)
      const own = proxyFigures(measured, (micros) => micros / count)
      return { ...own, rate: count / seconds, p50, p90, p99 }
    },
  }
}

export const small: Scenario = perCount(
  {
    name: 'small',
    title: 'Small requests over kept-alive connections (autocannon, answers of 37 bytes)',
    connections: 64,
  },
  'autocannon',
  'request',
)

export const smallRaw: Scenario = perCount(
  {
    name: 'small-raw',
    title: 'Small requests over kept-alive connections (own closed-loop client)',
    connections: 64,
  },
  'requests',
  'request',
)

export const connections: Scenario = perCount(
  {
    name: 'connections',
    title: 'New connections (open, one request, close)',
    connections: 32,
  },
  'connections',
  'connection',
)

export const bulk: Scenario = {
  name: 'bulk',
  title: 'Bulk (half of the connections download, half upload)',
  connections: 8,
  cost: 'cpu',
  metrics: [
    { key: 'cpu', title: 'CPU ms/GB', digits: 0 },
    { key: 'rate', title: 'MB/s', digits: 0 },
    ...PROXY,
  ],
  needsProxy: false,
  limit: connectionLimit,
  async measure(run) {
    const measured = await load(run, 'bulk', 'bulk')
    const { bytes = 0, seconds = Number.NaN } = measured.figures
    const own = proxyFigures(measured, (micros) => micros / MEGA / (bytes / 1e12))
    return { ...own, rate: bytes / MEGA / seconds, gigabytes: bytes / 1e9 }
  },
}
