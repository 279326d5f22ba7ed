// One load on one target: warm up, read the books, load, read them again.
//
// The clients stand still at a mark while the books are read, so the CPU time covers exactly what was counted.

import { type Cpu, cpuBetween, usageOf } from '../accounting.ts'
import type { Figures } from '../clients/client.ts'
import { Client, type ClientName, type ServerName, startServer } from '../processes.ts'
import { MEGA, type Metric, type TargetRun } from './scenario.ts'

export interface Measured {
  readonly figures: Figures
  /** Undefined where there is no proxy. */
  readonly proxy: { readonly cpu: Cpu; readonly peak: number } | undefined
}

/** What proxyFigures gives besides the cost. */
export const PROXY_METRICS: readonly Metric[] = [
  { key: 'busy', title: 'core busy %', digits: 0 },
  { key: 'user', title: 'of it user %', digits: 0 },
  { key: 'peak', title: 'peak RSS MB', digits: 1 },
]

/** `crowd` clients share the connections; their counts and bytes are added, of everything else the most is taken. */
export async function load(
  run: TargetRun,
  server: ServerName,
  client: ClientName,
  crowd = 1,
): Promise<Measured> {
  const { stage, target, warmup, seconds } = run
  const backend = await startServer(stage, server)
  const { port, pid } = await target.start(stage, backend)
  const connections = Math.ceil(run.connections / crowd)
  const orders = { port, connections, warmup, seconds }
  const clients = Array.from({ length: crowd }, () => new Client(stage, client, orders))
  await Promise.all(clients.map((one) => one.reaches('warm')))
  const before = pid === undefined ? undefined : usageOf(pid)
  for (const one of clients) one.proceed()
  const figures = sum(await Promise.all(clients.map((one) => one.figures())))
  if (pid === undefined || before === undefined) return { figures, proxy: undefined }
  const after = usageOf(pid)
  return { figures, proxy: { cpu: cpuBetween(before, after), peak: after.peak } }
}

const SUMMED: readonly string[] = ['count', 'bytes']

function sum(all: readonly Figures[]): Figures {
  const total: Record<string, number> = {}
  for (const [name, value] of all.flatMap((figures) => Object.entries(figures))) {
    const before = total[name] ?? 0
    total[name] = SUMMED.includes(name) ? before + value : Math.max(before, value)
  }
  return total
}

/** The proxy's side of it; `cost` turns microseconds into what one thing cost. */
export function proxyFigures(
  { figures, proxy }: Measured,
  cost: (micros: number) => number,
): Figures {
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
