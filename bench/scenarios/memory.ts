// The scenarios that are about memory: many idle connections, and readers that stop while the sender goes on.

import { setTimeout as sleep } from 'node:timers/promises'
import { usageOf } from '../accounting.ts'
import { Client, startServer } from '../processes.ts'
import { OURS } from '../targets/underpass.ts'
import {
  connectionLimit,
  eachProxy,
  KILO,
  MEGA,
  type Scenario,
  type TargetRun,
} from './scenario.ts'

const SAMPLE_MS = 100
/** Memory has settled once it moved by less than this over so many samples; or after the limit. */
const STEADY_BYTES = 256 * 1024
const STEADY_SAMPLES = 15
const SETTLE_LIMIT_MS = 10_000

export async function settledMemory(pid: number): Promise<number> {
  const samples: number[] = []
  for (let waited = 0; waited < SETTLE_LIMIT_MS; waited += SAMPLE_MS) {
    samples.push(usageOf(pid).resident)
    const recent = samples.slice(-STEADY_SAMPLES)
    const moved = Math.max(...recent) - Math.min(...recent)
    if (recent.length === STEADY_SAMPLES && moved < STEADY_BYTES) break
    await sleep(SAMPLE_MS)
  }
  return samples.at(-1) ?? Number.NaN
}

export async function startProxy(
  run: TargetRun,
  backend: number,
): Promise<{ port: number; pid: number }> {
  const { port, pid } = await run.target.start(run.stage, backend)
  if (pid === undefined) throw new Error(`${run.target.name} has no process to measure`)
  return { port, pid }
}

export const idle: Scenario = {
  name: 'idle',
  title: 'Idle connections',
  connections: 10_000,
  ours: OURS,
  compared: 'each',
  metrics: [
    { key: 'each', title: 'kB/connection', digits: 2 },
    { key: 'idle', title: 'idle RSS MB', digits: 1 },
    { key: 'held', title: 'RSS MB with them', digits: 1 },
    { key: 'count', title: 'connections', digits: 0 },
  ],
  limit: connectionLimit,
  contenders: eachProxy(async (run) => {
    const { stage, connections, warmup, seconds } = run
    const { port, pid } = await startProxy(run, await startServer(stage, 'answers'))
    const before = await settledMemory(pid)
    const client = new Client(stage, 'idle', { port, connections, warmup, seconds })
    await client.reaches('held')
    const held = await settledMemory(pid)
    client.proceed()
    const { count = Number.NaN } = await client.figures()
    const each = (held - before) / count / KILO
    return { each, idle: before / MEGA, held: held / MEGA, count }
  }),
}

export const stopped: Scenario = {
  name: 'stopped',
  title: 'Stopped readers (half of them clients, half servers) while the senders go on',
  connections: 8,
  ours: OURS,
  compared: undefined,
  metrics: [
    { key: 'growth', title: 'growth kB/connection', digits: 1 },
    { key: 'accepted', title: 'MB accepted', digits: 1 },
    { key: 'held', title: 'RSS MB at most', digits: 1 },
  ],
  limit: connectionLimit,
  contenders: eachProxy(async (run) => {
    const { stage, connections, warmup, seconds } = run
    const { port, pid } = await startProxy(run, await startServer(stage, 'bulk'))
    const client = new Client(stage, 'stopped', { port, connections, warmup, seconds })
    await client.reaches('warm')
    const before = await settledMemory(pid)
    client.proceed()
    const held = await most(pid, client.reaches('held'))
    client.proceed()
    const { bytes = Number.NaN } = await client.figures()
    const growth = (held - before) / connections / KILO
    return { growth, accepted: bytes / MEGA, held: held / MEGA }
  }),
}

/** The most memory seen until `end`. */
export async function most(pid: number, end: Promise<void>): Promise<number> {
  let highest = 0
  const watch = setInterval(() => {
    highest = Math.max(highest, usageOf(pid).resident)
  }, SAMPLE_MS)
  try {
    await end
  } finally {
    clearInterval(watch)
  }
  return Math.max(highest, usageOf(pid).resident)
}
