// The metrics of tracing itself: spans that were exported, and spans that were lost.

import type { Registry } from 'prom-client'
import type { SpanCounts } from './span-queue.ts'
import { registerTotals } from './totals.ts'

export function addTraceMetrics(registry: Registry, spans: SpanCounts): void {
  registerTotals(registry, {
    name: 'underpass_trace_spans_exported_total',
    help: 'Spans that the collector took.',
    type: 'counter',
    samples: () => [{ labels: {}, value: spans.exported }],
  })
  registerTotals(registry, {
    name: 'underpass_trace_spans_dropped_total',
    help: 'Spans that were lost, by reason.',
    type: 'counter',
    samples: () => [...spans.dropped].map(([reason, value]) => ({ labels: { reason }, value })),
  })
}
