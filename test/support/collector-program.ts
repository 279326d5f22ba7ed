// A collector of spans that tests run in a pod, on PORT: prints a line for each span it is sent by OTLP over HTTP in
// JSON, with the name of the service that sent it.

import { createServer } from 'node:http'

export interface CollectedSpan {
  readonly service: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly kind: number
  readonly name: string
}

interface Export {
  readonly resourceSpans: readonly {
    readonly resource: {
      readonly attributes: readonly { key: string; value: { stringValue?: string } }[]
    }
    readonly scopeSpans: readonly { readonly spans: readonly CollectedSpan[] }[]
  }[]
}

createServer((request, response) => {
  const pieces: Buffer[] = []
  request.on('data', (piece: Buffer) => pieces.push(piece))
  request.on('end', () => {
    const sent = JSON.parse(Buffer.concat(pieces).toString()) as Export
    for (const { resource, scopeSpans } of sent.resourceSpans) {
      const name = resource.attributes.find(({ key }) => key === 'service.name')
      const service = name?.value.stringValue ?? ''
      for (const { traceId, spanId, parentSpanId, kind, name } of scopeSpans.flatMap(
        ({ spans }) => spans,
      )) {
        process.stdout.write(
          `${JSON.stringify({ service, traceId, spanId, parentSpanId, kind, name })}\n`,
        )
      }
    }
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  })
}).listen(Number(process.argv[2]), '::', () => {
  process.stdout.write('"listening"\n')
})
