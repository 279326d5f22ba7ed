// The sidecar's metrics as the demo uses them: the Prometheus text into samples, the samples into flows.
//
// A flow is what one sidecar carried in one direction to one endpoint of one service: connections, and requests where
// it looks at them. Only counters are read here; rates come from comparing two readings, latencies from a histogram.

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Flow {
  readonly direction: string
  readonly service: string
  readonly endpoint: string
  opened: number
  closed: number
  open: number
  /** Bytes from the client. */
  received: number
  /** Bytes to the client. */
  sent: number
  /** Attempts to connect that failed; another endpoint may have been tried. */
  failures: number
  /** Connections that were refused or did not end in order; known by direction alone. */
  errors: number
  /** Why connections or attempts failed, and how often. */
  readonly reasons: Map<string, number>
  /** Requests that are over, and those under way. */
  requests: number
  active: number
  /** Requests that got no answer, or one of 500 and above. */
  failed: number
  /** Bytes of the bodies of requests and of responses. */
  requestBytes: number
  responseBytes: number
  /** Requests that were refused as malformed; known by direction alone. */
  refused: number
  /** Requests by the status of their answer; `0` without one. */
  readonly statuses: Map<string, number>
  /** By upper bound in seconds: requests that took no longer. */
  readonly latencies: Map<number, number>
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?$/
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g
const ESCAPES: Readonly<Record<string, string>> = { '\\n': '\n', '\\"': '"', '\\\\': '\\' }

/** The samples of a text in the Prometheus exposition format; comments and what is no sample are left out. */
export function parseMetrics(text: string): Sample[] {
  const samples: Sample[] = []
  for (const line of text.split('\n')) {
    const [, name, labels = '', value] = LINE.exec(line.trim()) ?? []
    if (name === undefined || value === undefined) continue
    samples.push({ name, labels: parseLabels(labels), value: parseValue(value) })
  }
  return samples
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {}
  for (const [, key = '', value = ''] of text.matchAll(LABEL)) {
    labels[key] = value.replace(/\\[n"\\]/g, (pair) => ESCAPES[pair] ?? pair)
  }
  return labels
}

function parseValue(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY
  if (text === '-Inf') return Number.NEGATIVE_INFINITY
  return Number(text)
}

/** The flows of one reading, in the order in which they first appear. */
export function flowsOf(samples: readonly Sample[]): Flow[] {
  const flows = new Map<string, Flow>()
  for (const sample of samples) {
    const { direction, service = '', endpoint = '' } = sample.labels
    if (direction === undefined || !/^underpass_(tcp|http)_/.test(sample.name)) continue
    const key = `${direction} ${service} ${endpoint}`
    const flow = flows.get(key) ?? newFlow(direction, service, endpoint)
    flows.set(key, flow)
    count(flow, sample)
  }
  return [...flows.values()]
}

function newFlow(direction: string, service: string, endpoint: string): Flow {
  const maps = { reasons: new Map(), statuses: new Map(), latencies: new Map() }
  return { direction, service, endpoint, ...nothing(), ...maps }
}

export interface Total
  extends Pick<Flow, 'opened' | 'closed' | 'open' | 'received' | 'sent' | 'failures' | 'errors'>,
    Pick<Flow, 'requests' | 'active' | 'failed' | 'requestBytes' | 'responseBytes' | 'refused'> {}

/** The metrics that are one of those numbers as they are. */
const NUMBERS: Readonly<Record<string, keyof Total>> = {
  underpass_tcp_connections_opened_total: 'opened',
  underpass_tcp_connections_closed_total: 'closed',
  underpass_tcp_open_connections: 'open',
  underpass_tcp_received_bytes_total: 'received',
  underpass_tcp_sent_bytes_total: 'sent',
  underpass_tcp_connect_failures_total: 'failures',
  underpass_tcp_connection_errors_total: 'errors',
  underpass_http_requests_total: 'requests',
  underpass_http_active_requests: 'active',
  underpass_http_request_bytes_total: 'requestBytes',
  underpass_http_response_bytes_total: 'responseBytes',
  underpass_http_refused_total: 'refused',
}

function nothing(): Total {
  return {
    ...{ opened: 0, closed: 0, open: 0, received: 0, sent: 0, failures: 0, errors: 0 },
    ...{ requests: 0, active: 0, failed: 0, requestBytes: 0, responseBytes: 0, refused: 0 },
  }
}

const SUMMED = Object.keys(nothing()) as readonly (keyof Total)[]

function count(flow: Flow, { name, labels, value }: Sample): void {
  const key = NUMBERS[name]
  if (key !== undefined) flow[key] += value
  if (key === 'failures' || key === 'errors') add(flow.reasons, labels['reason'], value)
  if (key === 'requests') {
    const status = labels['status'] ?? '0'
    add(flow.statuses, status, value)
    if (Number(status) < 100 || Number(status) >= 500) flow.failed += value
  }
  if (name === 'underpass_http_request_duration_seconds_bucket') {
    const bound = parseValue(labels['le'] ?? '')
    flow.latencies.set(bound, (flow.latencies.get(bound) ?? 0) + value)
  }
}

function add(map: Map<string, number>, key = 'unknown', value: number): void {
  map.set(key, (map.get(key) ?? 0) + value)
}

/** The sum of some flows. */
export function sum(flows: readonly Flow[]): Total {
  const total = nothing()
  for (const flow of flows) for (const key of SUMMED) total[key] += flow[key]
  return total
}

/** What was added from one sum to a later one. */
export function since(before: Total, now: Total): Total {
  const difference = { ...now }
  for (const key of SUMMED) difference[key] -= before[key]
  return difference
}

export type Histogram = ReadonlyMap<number, number>

/** The requests of some flows by latency; `before` is taken away. */
export function latenciesOf(flows: readonly Flow[], before: Histogram = new Map()): Histogram {
  const all = new Map<number, number>()
  for (const { latencies } of flows) {
    for (const [bound, value] of latencies) all.set(bound, (all.get(bound) ?? 0) + value)
  }
  for (const [bound, value] of before) all.set(bound, (all.get(bound) ?? 0) - value)
  return all
}

/**
 * The latency in seconds that this part of the requests did not exceed, taken to be spread evenly in its bucket;
 * undefined if there were none. Of what is beyond the last bound, no more is known than that bound.
 */
export function quantile(histogram: Histogram, part: number): number | undefined {
  const bounds = [...histogram].sort(([one], [other]) => one - other)
  const total = bounds.at(-1)?.[1] ?? 0
  if (total <= 0) return undefined
  const rank = part * total
  let [low, below] = [0, 0]
  for (const [bound, upTo] of bounds) {
    if (upTo >= rank && upTo > below) {
      if (bound === Number.POSITIVE_INFINITY) return low
      return low + ((bound - low) * (rank - below)) / (upTo - below)
    }
    low = bound
    below = upTo
  }
  return low
}
