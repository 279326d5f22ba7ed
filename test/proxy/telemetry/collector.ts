// A collector of spans, as far as OTLP over HTTP in JSON needs one, on this host.

import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

interface Attribute {
  readonly key: string
  readonly value: Readonly<Record<string, string | number>>
}

export interface CollectedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly status: { readonly code: number; readonly message?: string }
  readonly attributes: readonly Attribute[]
}

interface Request {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] }
    readonly scopeSpans: readonly { readonly spans: readonly CollectedSpan[] }[]
  }[]
}

export interface Collector {
  /** Where it takes spans. */
  readonly url: string
  /** Method and path of each request, and its headers. */
  readonly asked: { readonly what: string; readonly headers: IncomingHttpHeaders }[]
  readonly spans: CollectedSpan[]
  /** `service.name` of each request. */
  readonly services: unknown[]
  /** What it answers from now on. */
  status: number
}

export async function openCollector(t: Test): Promise<Collector> {
  const server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      collector.asked.push({ what: `${request.method} ${request.url}`, headers: request.headers })
      if (collector.status === 200) take(collector, Buffer.concat(pieces).toString())
      response.writeHead(collector.status, { 'content-type': 'application/json' }).end('{}')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}/v1/traces`
  const collector: Collector = { url, asked: [], spans: [], services: [], status: 200 }
  return collector
}

/** The attributes of a span as an object. */
export function attributesOf(span: {
  readonly attributes: readonly Attribute[]
}): Record<string, unknown> {
  return Object.fromEntries(span.attributes.map(({ key, value }) => [key, Object.values(value)[0]]))
}

function take(collector: Collector, body: string): void {
  const { resourceSpans } = JSON.parse(body) as Request
  for (const { resource, scopeSpans } of resourceSpans) {
    collector.services.push(attributesOf(resource)['service.name'])
    for (const { spans } of scopeSpans) collector.spans.push(...spans)
  }
}
