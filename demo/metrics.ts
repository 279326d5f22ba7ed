// The sidecar's metrics as the demo uses them: the Prometheus text into samples, the samples into flows.
//
// A flow is what one sidecar carried in one direction to one endpoint of one service. Only counters are read here;
// rates come from comparing two readings.

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
    if (direction === undefined || !sample.name.startsWith('underpass_tcp_')) continue
    const key = `${direction} ${service} ${endpoint}`
    const flow = flows.get(key) ?? newFlow(direction, service, endpoint)
    flows.set(key, flow)
    count(flow, sample)
  }
  return [...flows.values()]
}

function newFlow(direction: string, service: string, endpoint: string): Flow {
  const none = { opened: 0, closed: 0, open: 0, received: 0, sent: 0, failures: 0, errors: 0 }
  return { direction, service, endpoint, ...none, reasons: new Map() }
}

function count(flow: Flow, { name, labels, value }: Sample): void {
  switch (name) {
    case 'underpass_tcp_connections_opened_total':
      flow.opened += value
      break
    case 'underpass_tcp_connections_closed_total':
      flow.closed += value
      break
    case 'underpass_tcp_open_connections':
      flow.open += value
      break
    case 'underpass_tcp_received_bytes_total':
      flow.received += value
      break
    case 'underpass_tcp_sent_bytes_total':
      flow.sent += value
      break
    case 'underpass_tcp_connect_failures_total': {
      const reason = labels['reason'] ?? 'unknown'
      flow.failures += value
      flow.reasons.set(reason, (flow.reasons.get(reason) ?? 0) + value)
      break
    }
    case 'underpass_tcp_connection_errors_total':
      flow.errors += value
      flow.reasons.set(labels['reason'] ?? 'unknown', value)
      break
  }
}

export type Total = Pick<Flow, (typeof SUMMED)[number]>

const SUMMED = ['opened', 'closed', 'open', 'received', 'sent', 'failures', 'errors'] as const

/** The sum of some flows. */
export function sum(flows: readonly Flow[]): Total {
  const total = { opened: 0, closed: 0, open: 0, received: 0, sent: 0, failures: 0, errors: 0 }
  for (const flow of flows) for (const key of SUMMED) total[key] += flow[key]
  return total
}

/** What was added from one sum to a later one. */
export function since(before: Total, now: Total): Total {
  const difference = { ...now }
  for (const key of SUMMED) difference[key] -= before[key]
  return difference
}
