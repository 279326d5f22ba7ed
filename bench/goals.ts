// The figures that the project has set itself, as a table. Whether they are met is found in report.ts.

export interface Goal {
  readonly scenario: string
  readonly text: string
  readonly limit: number
  /** A ratio to a peer, the median over the rounds; or the median of a metric of our own. */
  readonly of: { readonly ratioTo: string } | { readonly metric: string }
}

export const GOALS: readonly Goal[] = [
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
