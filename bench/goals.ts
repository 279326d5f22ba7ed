// The figures that the project has set itself, as tables. Whether they are met is found in judge.ts.

import { addedKey } from './added.ts'
import { WITHOUT } from './scenarios/strategies.ts'
import { WORKERS_NEED_CORES } from './scenarios/workers.ts'

export interface Goal {
  readonly scenario: string
  readonly text: string
  readonly limit: number
  /** The limit is the least that will do, not the most. */
  readonly least?: true
  readonly of: Measure
  /** With fewer cores it is measured but not judged. */
  readonly cores?: number
  /** Judged in its place, by the same limit, where the ratio cannot be told; reported in any case. */
  readonly fallback?: { readonly text: string; readonly of: Measure }
}

/**
 * A ratio to a peer, the median over the rounds: by the metric that the scenario compares, or another one. Or the
 * median of a metric of our own.
 */
export type Measure = Ratio | { readonly metric: string }

export interface Ratio {
  readonly ratioTo: string
  readonly metric?: string
  /** A round counts only where the peer's figure is more than noise. */
  readonly noise?: Noise
}

export interface Noise {
  /** In the metric's own unit. */
  readonly least: number
  /** And so many times the peer's figure for another metric, in the same round. */
  readonly times: number
  readonly of: string
}

export const L4_GOALS: readonly Goal[] = [
  {
    scenario: 'small',
    text: 'small requests (autocannon): CPU per request, as a multiple of HAProxy',
    limit: 1.1,
    of: { ratioTo: 'haproxy' },
  },
  {
    scenario: 'small-raw',
    text: 'small requests (own client): CPU per request, as a multiple of HAProxy',
    limit: 1.1,
    of: { ratioTo: 'haproxy' },
  },
  {
    scenario: 'bulk',
    text: 'bulk: CPU per GB, as a multiple of HAProxy',
    limit: 1.1,
    of: { ratioTo: 'haproxy' },
  },
  {
    scenario: 'connections',
    text: 'new connections: CPU per connection, as a multiple of HAProxy',
    limit: 2,
    of: { ratioTo: 'haproxy' },
  },
  {
    scenario: 'idle',
    text: 'idle connections: resident kB each',
    limit: 20,
    of: { metric: 'each' },
  },
  {
    scenario: 'idle',
    text: 'idle process: resident MB',
    limit: 70,
    of: { metric: 'idle' },
  },
  {
    scenario: 'stopped',
    text: 'stopped reader: growth in kB per connection',
    limit: 1000,
    of: { metric: 'growth' },
  },
]

export const L7_GOALS: readonly Goal[] = [
  ...small('small', 'autocannon'),
  ...small('small-raw', 'own client'),
  {
    scenario: 'bulk',
    text: 'bodies of 1 MiB: CPU per GB, as a multiple of HAProxy',
    limit: 1.2,
    of: { ratioTo: 'haproxy' },
  },
  latency('p50', 1.3),
  latency('p99', 1.5),
  {
    scenario: 'strategies',
    text: 'every resilience strategy configured: CPU per request, as a multiple of none',
    limit: 1.1,
    of: { ratioTo: WITHOUT },
  },
  {
    scenario: 'strategies-inbound',
    text: 'inbound, every strategy configured: CPU per request, as a multiple of none',
    limit: 1.1,
    of: { ratioTo: WITHOUT },
  },
  {
    scenario: 'workers',
    text: 'two workers: requests/s, as a multiple of one',
    limit: 1.8,
    least: true,
    of: { ratioTo: '1 worker' },
    cores: WORKERS_NEED_CORES,
  },
  parser('parser-api', 'a small API call'),
  parser('parser-browser', 'a browser with 2 KB of cookies'),
  parser('parser-fields', '40 fields'),
]

export const H2_GOALS: readonly Goal[] = [
  {
    scenario: 'h2',
    text: 'HTTP/2 to HTTP/2: CPU per request, as a multiple of a proxy on node:http2',
    limit: 0.4,
    of: { ratioTo: 'node:http2' },
  },
  h2('h2', 'HTTP/2 to HTTP/2: CPU per request'),
  h2('h1-h2', 'HTTP/1.1 to HTTP/2: CPU per request'),
  h2('h2-h1', 'HTTP/2 to HTTP/1.1: CPU per request'),
  h2('grpc-unary', 'gRPC, small calls: CPU per call'),
  h2('grpc-stream', 'gRPC, streams of 1 MiB messages: CPU per GB'),
  {
    scenario: 'grpc-stream',
    text: 'gRPC, streams of 1 MiB messages: calls cut off',
    limit: 0,
    of: { metric: 'cut' },
  },
  {
    scenario: 'streams',
    text: 'open streams of a connection: resident kB each',
    limit: 20,
    of: { metric: 'each' },
  },
  {
    scenario: 'streams',
    text: 'open streams of a connection: growth of that between two halves of the time',
    limit: 4,
    of: { metric: 'drift' },
  },
  {
    scenario: 'stopped-stream',
    text: 'a stream that nobody reads: p99 of the others, as a multiple of without it',
    limit: 1.5,
    of: { metric: 'slowdown' },
  },
]

function h2(scenario: string, what: string): Goal {
  const text = `${what}, as a multiple of HAProxy`
  return { scenario, text, limit: 1.5, of: { ratioTo: 'haproxy' } }
}

function small(scenario: string, client: string): Goal[] {
  const text = `small requests (${client}): CPU per request, as a multiple of`
  return [
    { scenario, text: `${text} HAProxy`, limit: 1.25, of: { ratioTo: 'haproxy' } },
    { scenario, text: `${text} nginx`, limit: 1.3, of: { ratioTo: 'nginx' } },
  ]
}

function latency(quantile: string, limit: number): Goal {
  // 20 µs is what a process switch more or less may cost; a tenth is what rounds differ by.
  const noise: Noise = { least: 0.02, times: 0.1, of: quantile }
  // Where half of it is the client itself being late, the ratio would be 1 whatever the proxies do.
  const clientLateness: Noise = { least: 0, times: 2, of: quantile.replace('p', 'late') }
  return {
    scenario: 'latency',
    text: `latency at 1,000 requests/s: added ${quantile}, as a multiple of HAProxy`,
    limit,
    of: { ratioTo: 'haproxy', metric: addedKey(quantile), noise },
    fallback: {
      text: `latency at 1,000 requests/s: whole ${quantile}, as a multiple of HAProxy`,
      of: { ratioTo: 'haproxy', metric: quantile, noise: clientLateness },
    },
  }
}

function parser(scenario: string, head: string): Goal {
  return {
    scenario,
    text: `parsing ${head}: speed, as a multiple of http-parser-js`,
    limit: 3,
    least: true,
    of: { ratioTo: 'http-parser-js' },
  }
}
