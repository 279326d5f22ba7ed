// What a stage needs of the world: time, chance, alarms, and a log for what changes rarely.

import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { Random } from '../../lib/random.ts'
import type { TimerWheel } from '../../lib/timer-wheel.ts'
import type { Exchange } from './exchange.ts'

export interface World {
  readonly clock: Clock
  readonly random: Random
  readonly wheel: TimerWheel<Exchange>
  readonly log: Log
}
