// Every scenario, in the order in which they are run.

import type { Scenario } from './finding.ts'
import { cascade } from './scenarios/cascade.ts'
import { coldReturn } from './scenarios/cold-return.ts'
import { overload } from './scenarios/overload.ts'
import { retryStorm } from './scenarios/retry-storm.ts'
import { rollingRestart } from './scenarios/rolling-restart.ts'
import { slowInstance } from './scenarios/slow-instance.ts'

export const SCENARIOS: readonly Scenario[] = [
  retryStorm,
  slowInstance,
  cascade,
  rollingRestart,
  coldReturn,
  overload,
]
