// Spans to a collector by OTLP over HTTP, in JSON, by OpenTelemetry's own exporter, which retries what may be retried.
//
// Loaded when tracing is on: the library takes 7 MB of memory and a tenth of a second at start. It talks to the endpoint that
// it is given and to no other; headers for the collector, such as a token, come from the library's own variable
// (OTEL_EXPORTER_OTLP_HEADERS), so that they stand in no configuration.

import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { type Resource, resourceFromAttributes } from '@opentelemetry/resources'
import type { Millis } from '../../lib/duration.ts'
import { readable } from './otlp-span.ts'
import type { Span } from './span.ts'
import type { SpanExporter } from './span-queue.ts'

/** For one batch, retries included. */
const TIMEOUT: Millis = 5000
const SUCCESS: number = 0

export class OtlpExporter implements SpanExporter {
  readonly #exporter: OTLPTraceExporter
  readonly #resource: Resource

  /** `url` is the whole one, with `/v1/traces`; `name` is who the spans are of. */
  constructor(url: string, name: string, timeout: Millis = TIMEOUT) {
    this.#exporter = new OTLPTraceExporter({ url, timeoutMillis: timeout })
    this.#resource = resourceFromAttributes({ 'service.name': name })
  }

  async export(spans: readonly Span[]): Promise<void> {
    const batch = spans.map((span) => readable(span, this.#resource))
    await new Promise<void>((resolve, reject) => {
      this.#exporter.export(batch, ({ code, error }) => {
        const status: number = code
        if (status === SUCCESS) resolve()
        else reject(error ?? new Error('the export failed'))
      })
    })
  }
}
