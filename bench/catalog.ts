// Everything that can be chosen on the command line: by mode the scenarios and the targets, in the order they are
// run, and the goals.

import { type Goal, H2_GOALS, L4_GOALS, L7_GOALS } from './goals.ts'
import { MODES, type Mode } from './mode.ts'
import { grpcStream, grpcUnary, h1ToH2, h2, h2ToH1 } from './scenarios/h2.ts'
import { latency } from './scenarios/latency.ts'
import { idle, stopped } from './scenarios/memory.ts'
import { PARSING } from './scenarios/parser.ts'
import {
  bulk,
  connections,
  httpBulk,
  httpSmall,
  httpSmallRaw,
  small,
  smallRaw,
} from './scenarios/rate.ts'
import type { Scenario } from './scenarios/scenario.ts'
import { inboundStrategies, outboundStrategies } from './scenarios/strategies.ts'
import { stoppedStream, streams } from './scenarios/streams.ts'
import { workers } from './scenarios/workers.ts'
import { direct } from './targets/direct.ts'
import { haproxy } from './targets/haproxy.ts'
import { nginx } from './targets/nginx.ts'
import { nodeHttp2 } from './targets/node-http2.ts'
import type { Target } from './targets/target.ts'
import { underpass } from './targets/underpass.ts'

export interface Catalog {
  readonly scenarios: readonly Scenario[]
  readonly targets: readonly Target[]
  readonly goals: readonly Goal[]
}

export const CATALOG: Readonly<Record<Mode, Catalog>> = {
  l4: {
    scenarios: [small, smallRaw, bulk, connections, idle, stopped],
    targets: targetsAt('l4'),
    goals: L4_GOALS,
  },
  l7: {
    scenarios: [
      httpSmall,
      httpSmallRaw,
      httpBulk,
      latency,
      outboundStrategies,
      inboundStrategies,
      workers,
      ...PARSING,
    ],
    targets: targetsAt('l7'),
    goals: L7_GOALS,
  },
  h2: {
    scenarios: [h2, h1ToH2, h2ToH1, grpcUnary, grpcStream, streams, stoppedStream],
    targets: [...targetsAt('h2'), nodeHttp2],
    goals: H2_GOALS,
  },
}

/** Names, each once, in the order of the catalog. */
export const SCENARIO_NAMES: readonly string[] = namesOf('scenarios')
export const TARGET_NAMES: readonly string[] = namesOf('targets')

function targetsAt(mode: Mode): readonly Target[] {
  return [direct, underpass(mode), haproxy(mode), nginx(mode)]
}

function namesOf(part: 'scenarios' | 'targets'): readonly string[] {
  return [...new Set(MODES.flatMap((mode) => CATALOG[mode][part].map(({ name }) => name)))]
}
