// Everything that can be chosen on the command line: the scenarios and the targets, in the order they are run.

import { idle, stopped } from './scenarios/memory.ts'
import { bulk, connections, small, smallRaw } from './scenarios/rate.ts'
import type { Scenario } from './scenarios/scenario.ts'
import { direct } from './targets/direct.ts'
import { haproxy } from './targets/haproxy.ts'
import { nginx } from './targets/nginx.ts'
import type { Target } from './targets/target.ts'
import { underpass } from './targets/underpass.ts'

export const SCENARIOS: readonly Scenario[] = [small, smallRaw, bulk, connections, idle, stopped]
export const TARGETS: readonly Target[] = [direct, underpass, haproxy, nginx]

/** The target that the others are held against. */
export const OURS: string = underpass.name
