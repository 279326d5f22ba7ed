// Latencies of one phase, in Node's own HDR histogram: three digits, no memory per request.

import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import type { Figures } from './client.ts'

export class Latency {
  readonly #histogram: RecordableHistogram = createHistogram({ figures: 3 })

  /** `millis` may have a fraction. */
  record(millis: number): void {
    this.#histogram.record(Math.max(1, Math.round(millis * 1000)))
  }

  /** In milliseconds. */
  figures(): Figures {
    const at = (percent: number): number => this.#histogram.percentile(percent) / 1000
    return { p50: at(50), p90: at(90), p99: at(99), p999: at(99.9) }
  }
}
