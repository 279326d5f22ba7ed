// Clients that come whether or not earlier ones were answered (an open loop), at random, at a fixed rate.

import type { Millis } from '../../src/lib/duration.ts'
import type { Random } from '../../src/lib/random.ts'
import type { Calls } from './call.ts'
import { exponential } from './chance.ts'
import type { VirtualClock } from './clock.ts'
import { renderRequest, traceOf } from './message.ts'
import type { Recorder } from './recorder.ts'

export interface Load {
  /** Requests per second. */
  readonly rate: number
  readonly host: string
  /** By chance, evenly. */
  readonly methods: readonly string[]
  /** How long an answer is of use, of which the mesh is not told by this; infinite for any time. By chance, evenly. */
  readonly patience: readonly Millis[]
  /** The client hangs up when its patience is over. */
  readonly hangsUp: boolean
  /** The client says how long it waits, in the field for it. */
  readonly tells: boolean
  readonly traced: boolean
}

/** Sends `load` from now to `end`. */
export function sendLoad(
  clock: VirtualClock,
  calls: Calls,
  load: Load,
  random: Random,
  recorder: Recorder,
  end: Millis,
): void {
  const pause = exponential(1000 / load.rate, random)
  let count = 0
  const send = (): void => {
    const now = clock.now()
    count += 1
    // Drawn in any case, so that each comparison meets the same requests.
    const patience = chosen(load.patience, random()) ?? Number.POSITIVE_INFINITY
    const method = chosen(load.methods, random()) ?? 'GET'
    const text = renderRequest({
      method,
      host: load.host,
      trace: load.traced ? traceOf(count) : '',
      due: now + patience,
      timeout: load.tells ? patience : Number.POSITIVE_INFINITY,
    })
    const sent = recorder.sent(now, patience)
    const giveUp = calls.begin(text, (status) => {
      recorder.ended(sent, status, clock.now())
    })
    if (load.hangsUp && !sent.isOver && patience < Number.POSITIVE_INFINITY) {
      const timer = clock.after(patience, giveUp)
      sent.whenOver = () => {
        timer.cancel()
      }
    }
    plan()
  }
  const plan = (): void => {
    const after = pause()
    if (clock.now() + after < end) clock.after(after, send)
  }
  plan()
}

function chosen<T>(values: readonly T[], chance: number): T | undefined {
  return values[Math.floor(chance * values.length)]
}
