// Finished spans on their way to the collector: a queue with a bound, emptied in batches, one at a time, so that a
// collector that is slow, dead or away costs memory up to the bound and then spans, never traffic.
//
// How a batch is carried is left to the exporter.

import type { Clock, Timer } from '../../lib/clock.ts'
import type { Millis } from '../../lib/duration.ts'
import type { Log } from '../../lib/log.ts'
import type { Span } from './span.ts'

/** Spans that wait at most. */
const MAX_QUEUED = 2048
/** Small, because the event loop stands still while a batch is written as JSON: 25 microseconds a span. */
const MAX_BATCH = 64
const EXPORT_PERIOD: Millis = 1000
const LOG_PERIOD: Millis = 60_000

export type DropReason = 'queue-full' | 'export-failed' | 'stopped'

export interface SpanCounts {
  readonly exported: number
  readonly dropped: ReadonlyMap<DropReason, number>
}

export interface SpanExporter {
  /** Rejects if the collector did not take them, in time and after retries. */
  export(spans: readonly Span[]): Promise<void>
}

export class SpanQueue implements SpanCounts {
  exported = 0
  readonly dropped: Map<DropReason, number> = new Map([
    ['queue-full', 0],
    ['export-failed', 0],
    ['stopped', 0],
  ])
  readonly #exporter: SpanExporter
  readonly #clock: Clock
  readonly #log: Log
  readonly #timer: Timer
  #waiting: Span[] = []
  #sending: Promise<boolean> | undefined = undefined
  #stopped = false
  #loggedAt: Millis = Number.NEGATIVE_INFINITY

  constructor(exporter: SpanExporter, clock: Clock, log: Log) {
    this.#exporter = exporter
    this.#clock = clock
    this.#log = log
    this.#timer = clock.every(EXPORT_PERIOD, () => {
      void this.#send()
    })
  }

  add(span: Span): void {
    if (this.#stopped) {
      this.#drop('stopped', 1)
    } else if (this.#waiting.length >= MAX_QUEUED) {
      this.#drop('queue-full', 1)
    } else if (this.#waiting.push(span) === MAX_BATCH) {
      this.#clock.afterPoll(() => {
        void this.#send()
      })
    }
  }

  /** Exports what waits, for `limit` at most; what is left then is lost. */
  async stop(limit: Millis): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    this.#timer.cancel()
    const drained = this.#drain()
    await new Promise<void>((resolve) => {
      const timer = this.#clock.after(limit, resolve)
      void drained.then(() => {
        timer.cancel()
        resolve()
      })
    })
    this.#drop('stopped', this.#waiting.length)
    this.#waiting = []
  }

  async #drain(): Promise<void> {
    while (this.#sending !== undefined || this.#waiting.length > 0) {
      await (this.#sending ?? this.#send())
    }
  }

  /** One batch after another while they are full and arrive; never rejects. */
  async #send(): Promise<void> {
    let more = this.#sending === undefined && this.#waiting.length > 0
    while (more) {
      this.#sending = this.#export(this.#waiting.splice(0, MAX_BATCH))
      const arrived = await this.#sending
      this.#sending = undefined
      more = arrived && this.#waiting.length >= MAX_BATCH
    }
  }

  async #export(batch: readonly Span[]): Promise<boolean> {
    try {
      await this.#exporter.export(batch)
      this.exported += batch.length
      return true
    } catch (error) {
      this.#drop('export-failed', batch.length)
      this.#complain(error)
      return false
    }
  }

  #drop(reason: DropReason, count: number): void {
    this.dropped.set(reason, (this.dropped.get(reason) ?? 0) + count)
  }

  #complain(error: unknown): void {
    const now = this.#clock.now()
    if (now - this.#loggedAt < LOG_PERIOD) return
    this.#loggedAt = now
    this.#log.warn({
      event: 'trace-export-failed',
      reason: reasonOf(error),
      dropped: this.dropped.get('export-failed'),
      message: 'the collector does not take spans; said once a minute at most',
    })
  }
}

/** A failed connect to several addresses has a code and no message. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code } = error as Error & { code?: unknown }
  return [code, error.message].filter((part) => part !== undefined && part !== '').join(' ')
}
