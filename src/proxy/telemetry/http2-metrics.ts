// The metrics of HTTP/2 connections: how many, their streams, resets and GOAWAYs by error, and limits that were
// reached.
//
// By direction and side only: whose connections they are is told by the metrics of connections and of requests.

import type { Registry } from 'prom-client'
import { h2ErrorName } from '../http/h2/protocol.ts'
import type { CounterRegistry, Http2Line } from '../stack/counters.ts'
import { type Http2Counters, OTHER_CODE } from '../stack/http2-counters.ts'
import { registerTotals, type Sample } from './totals.ts'

interface Figure {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge'
  readonly value: (counters: Http2Counters) => number
}

const FIGURES: readonly Figure[] = [
  {
    name: 'underpass_http2_open_connections',
    help: 'HTTP/2 connections that are open now.',
    type: 'gauge',
    value: ({ openConnections }) => openConnections,
  },
  {
    name: 'underpass_http2_open_streams',
    help: 'Streams that are open now.',
    type: 'gauge',
    value: ({ openStreams }) => openStreams,
  },
  {
    name: 'underpass_http2_streams_total',
    help: 'Streams that were opened.',
    type: 'counter',
    value: ({ streamsOpened }) => streamsOpened,
  },
]

interface Tally {
  readonly name: string
  readonly help: string
  readonly counts: (
    counters: Http2Counters,
    way: 'received' | 'sent',
  ) => Iterable<[code: number, count: number]>
}

const TALLIES: readonly Tally[] = [
  {
    name: 'underpass_http2_resets_total',
    help: 'RST_STREAM frames, received and sent, by error.',
    counts: (counters, way) => counters.resets(way),
  },
  {
    name: 'underpass_http2_goaways_total',
    help: 'GOAWAY frames, received and sent, by error.',
    counts: (counters, way) => counters.goaways(way),
  },
]

export function addHttp2Metrics(registry: Registry, counters: CounterRegistry): void {
  for (const { name, help, type, value } of FIGURES) {
    const samples = (): Iterable<Sample> => figures(counters, value)
    registerTotals(registry, { name, help, type, samples })
  }
  for (const { name, help, counts } of TALLIES) {
    const samples = (): Iterable<Sample> => tallied(counters, counts)
    registerTotals(registry, { name, help, type: 'counter', samples })
  }
  registerTotals(registry, {
    name: 'underpass_http2_limits_exceeded_total',
    help: 'Times that a peer went beyond what is allowed on an HTTP/2 connection, by limit.',
    type: 'counter',
    samples: () => limits(counters),
  })
}

/** Where nobody ever spoke HTTP/2 there is nothing to show. */
function used(counters: CounterRegistry): Http2Line[] {
  return counters.http2().filter((line) => line.counters.used)
}

function* figures(
  counters: CounterRegistry,
  value: (counters: Http2Counters) => number,
): Iterable<Sample> {
  for (const line of used(counters)) yield { labels: labelsOf(line), value: value(line.counters) }
}

function* tallied(counters: CounterRegistry, counts: Tally['counts']): Iterable<Sample> {
  for (const line of used(counters)) {
    for (const way of ['received', 'sent'] as const) {
      for (const [code, value] of counts(line.counters, way)) {
        const error = code === OTHER_CODE ? 'other' : h2ErrorName(code)
        yield { labels: { ...labelsOf(line), way, error }, value }
      }
    }
  }
}

function* limits(counters: CounterRegistry): Iterable<Sample> {
  for (const line of used(counters)) {
    for (const [limit, value] of line.counters.limits) {
      yield { labels: { ...labelsOf(line), limit }, value }
    }
  }
}

function labelsOf({ direction, role }: Http2Line): { direction: string; role: string } {
  return { direction, role }
}
