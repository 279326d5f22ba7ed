// The metrics of HTTP requests, made from the counters of the lines that have had any (stack/request-counters.ts).
//
// Every label takes few values: an address from traffic never becomes one, nor does anything that a client sends; names
// of routes come from policies.

import type { Registry } from 'prom-client'
import { grpcName } from '../../lib/grpc-status.ts'
import type { ConnectionCounters, CounterRegistry } from '../stack/counters.ts'
import { LATENCY_BOUNDS, type RequestCounters } from '../stack/request-counters.ts'
import { registerTotals, type Sample } from './totals.ts'

/** Of a peer, or an own workload, that is not known. */
const UNKNOWN = 'unknown'

type Labels = Readonly<Record<string, string>>

/** One metric's samples of one line. */
interface RequestMetric {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly of: (requests: RequestCounters, labels: Labels) => Sample[]
}

const HISTOGRAM = 'underpass_http_request_duration_seconds'

const REQUEST_METRICS: readonly RequestMetric[] = [
  {
    name: 'underpass_http_requests_total',
    help: 'Requests that have ended, by the status of the response; 0 if there was none.',
    type: 'counter',
    of: (requests, labels) =>
      requests.statuses().map(([status, value]) => ({
        labels: { ...labels, status: String(status) },
        value,
      })),
  },
  {
    name: 'underpass_grpc_requests_total',
    help: 'Calls of gRPC that have ended, by their code; they are among the requests too.',
    type: 'counter',
    of: (requests, labels) =>
      requests.calls().map(([code, value]) => ({
        labels: { ...labels, grpc_status: grpcName(code) },
        value,
      })),
  },
  {
    name: 'underpass_http_request_failures_total',
    help: 'Requests that the mesh could not carry to their end, by reason.',
    type: 'counter',
    of: (requests, labels) =>
      [...requests.failures].map(([reason, value]) => ({ labels: { ...labels, reason }, value })),
  },
  {
    name: HISTOGRAM,
    help: 'Time from the head of a request to the end of its response.',
    type: 'histogram',
    of: histogram,
  },
  {
    name: 'underpass_http_request_bytes_total',
    help: 'Bytes of requests as they were received, heads included.',
    type: 'counter',
    of: (requests, labels) => [{ labels, value: requests.requestBytes }],
  },
  {
    name: 'underpass_http_response_bytes_total',
    help: 'Bytes of responses as they were received, heads included.',
    type: 'counter',
    of: (requests, labels) => [{ labels, value: requests.responseBytes }],
  },
  {
    name: 'underpass_http_active_requests',
    help: 'Requests that are under way now.',
    type: 'gauge',
    of: (requests, labels) => [{ labels, value: requests.active }],
  },
  {
    name: 'underpass_http_resends_total',
    help: 'Requests sent again because the connection that was to be reused had been closed, or the stream was refused.',
    type: 'counter',
    of: (requests, labels) => [{ labels, value: requests.resends }],
  },
]

/** `workload` is the pod's own, the source of what goes out; empty if it is not known. */
export function addRequestMetrics(
  registry: Registry,
  counters: CounterRegistry,
  workload: string,
): void {
  for (const { name, help, type, of } of REQUEST_METRICS) {
    const samples = function* (): Iterable<Sample> {
      for (const line of counters.all()) {
        for (const [route, requests] of line.byRoute()) {
          if (requests.used) yield* of(requests, labelsOf(line, route, workload))
        }
      }
    }
    registerTotals(registry, { name, help, type, samples })
  }
  registerTotals(registry, {
    name: 'underpass_http_refused_total',
    help: 'Messages that were refused because HTTP does not allow them or they are too large, by reason.',
    type: 'counter',
    samples: function* () {
      for (const { direction, message, reason, count } of counters.refusals()) {
        yield { labels: { direction, message, reason }, value: count }
      }
    },
  })
}

function labelsOf(
  { direction, service, endpoint }: ConnectionCounters,
  route: string,
  workload: string,
): Labels {
  const source = direction === 'outbound' && workload !== '' ? workload : UNKNOWN
  return { direction, source, service, endpoint, route }
}

function histogram(requests: RequestCounters, labels: Labels): Sample[] {
  const samples: Sample[] = []
  let count = 0
  for (const [bucket, requestsInIt] of requests.latencies().entries()) {
    count += requestsInIt
    const le = String(LATENCY_BOUNDS[bucket] ?? '+Inf')
    samples.push({ metricName: `${HISTOGRAM}_bucket`, labels: { ...labels, le }, value: count })
  }
  samples.push({ metricName: `${HISTOGRAM}_sum`, labels, value: requests.latency / 1000 })
  samples.push({ metricName: `${HISTOGRAM}_count`, labels, value: count })
  return samples
}
