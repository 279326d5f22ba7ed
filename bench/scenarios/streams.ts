// Many streams of one HTTP/2 connection: what each costs in memory, and whether one that nobody reads is in the way of
// the others.

import { Client, startServer } from '../processes.ts'
import { HTTP2, speaking } from '../targets/target.ts'
import { OURS } from '../targets/underpass.ts'
import { load } from './load.ts'
import { most, settledMemory, startProxy } from './memory.ts'
import { connectionLimit, each, eachProxy, KILO, MEGA, type Scenario } from './scenario.ts'

export const streams: Scenario = {
  name: 'streams',
  title: 'Streams of one HTTP/2 connection that are answered in small pieces without end',
  connections: 1000,
  counted: 'streams',
  ours: OURS,
  compared: 'each',
  metrics: [
    { key: 'each', title: 'kB/stream', digits: 2 },
    { key: 'drift', title: 'growth kB/stream', digits: 2 },
    { key: 'before', title: 'RSS MB before', digits: 1 },
    { key: 'held', title: 'RSS MB at most', digits: 1 },
    { key: 'count', title: 'streams', digits: 0 },
  ],
  limit: () => Number.POSITIVE_INFINITY,
  contenders: (targets) =>
    eachProxy(async (run) => {
      const { stage, connections, warmup, seconds } = run
      const { port, pid } = await startProxy(run, await startServer(stage, 'h2-streams'))
      const client = new Client(stage, 'h2-streams', { port, connections, warmup, seconds })
      await client.reaches('warm')
      const before = await settledMemory(pid)
      client.proceed()
      await client.reaches('open')
      client.proceed()
      // A collector's heap goes up and down, so each half is its highest.
      const early = await most(pid, client.reaches('half'))
      client.proceed()
      const late = await most(pid, client.reaches('held'))
      client.proceed()
      const { count = Number.NaN } = await client.figures()
      const held = Math.max(early, late)
      return {
        each: (held - before) / count / KILO,
        drift: (late - early) / count / KILO,
        before: before / MEGA,
        held: held / MEGA,
        count,
      }
    })(speaking(targets, HTTP2)),
}

export const stoppedStream: Scenario = {
  name: 'stopped-stream',
  title: 'Small answers on 16 streams, alone and beside one that nobody reads',
  connections: 1,
  ours: OURS,
  compared: 'slowdown',
  metrics: [
    { key: 'p99', title: 'p99 ms beside', digits: 2 },
    { key: 'alone99', title: 'p99 ms alone', digits: 2 },
    { key: 'slowdown', title: 'p99 beside / alone', digits: 2, spread: true },
    { key: 'p50', title: 'p50 ms beside', digits: 2 },
    { key: 'alone50', title: 'p50 ms alone', digits: 2 },
    { key: 'rate', title: 'requests/s beside', digits: 0 },
    { key: 'stuck', title: 'never answered', digits: 0 },
    { key: 'held', title: 'kB sent to it', digits: 1 },
  ],
  limit: connectionLimit,
  contenders: (targets) =>
    each(async (run) => {
      const { figures } = await load(run, 'h2-streams', 'h2-stopped')
      const { count = 0, seconds = Number.NaN, p99 = Number.NaN, ...rest } = figures
      const { alone99 = Number.NaN, held = 0 } = rest
      const slowdown = p99 / alone99
      return { ...rest, p99, slowdown, rate: count / seconds, held: held / KILO }
    })(speaking(targets, HTTP2)),
}
