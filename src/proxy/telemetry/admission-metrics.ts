// The metrics of deadlines and admission: requests that were turned away, those whose time was over, and how much the
// application works on.
//
// The ports of the application whose addresses come from traffic are one line together: limits and counts are sums.

import type { Registry } from 'prom-client'
import type { AdmissionView } from '../stack/destination.ts'
import type { ResilienceCounters, ResilienceLine } from '../stack/resilience-counters.ts'
import { registerTotals, type Sample } from './totals.ts'

/** One of the application's ports; `endpoint` is empty where its address comes from traffic. */
export interface Application extends AdmissionView {
  readonly endpoint: string
}

interface AdmissionMetric {
  readonly name: string
  readonly help: string
  readonly value: (application: Application) => number
}

const ADMISSION_METRICS: readonly AdmissionMetric[] = [
  {
    name: 'underpass_admission_limit',
    help: 'Requests that the application may work on at once, now; none without a limit.',
    value: ({ limit }) => limit,
  },
  {
    name: 'underpass_admission_active_requests',
    help: 'Requests that the application works on now.',
    value: ({ active }) => active,
  },
  {
    name: 'underpass_admission_waiting_requests',
    help: 'Requests that wait for the application now.',
    value: ({ waiting }) => waiting,
  },
]

export function addAdmissionMetrics(
  registry: Registry,
  services: () => Iterable<ResilienceLine> = () => [],
  applications: () => Iterable<Application> = () => [],
): void {
  for (const { name, help, value } of ADMISSION_METRICS) {
    const samples = (): Iterable<Sample> => summed(applications(), value)
    registerTotals(registry, { name, help, type: 'gauge', samples })
  }
  registerTotals(registry, {
    name: 'underpass_http_requests_shed_total',
    help: 'Requests that were turned away before they were sent anywhere, by reason.',
    type: 'counter',
    samples: () => counted(services(), 'reason', ({ shed }) => shed),
  })
  registerTotals(registry, {
    name: 'underpass_http_deadlines_exceeded_total',
    help: 'Requests whose time was over before they were answered, by whose time it was.',
    type: 'counter',
    samples: () => counted(services(), 'source', ({ expired }) => expired),
  })
}

function summed(
  applications: Iterable<Application>,
  value: (application: Application) => number,
): Sample[] {
  const sums = new Map<string, number>()
  for (const application of applications) {
    const { endpoint } = application
    sums.set(endpoint, (sums.get(endpoint) ?? 0) + value(application))
  }
  return [...sums]
    .filter(([, sum]) => Number.isFinite(sum))
    .map(([endpoint, sum]) => ({ labels: { service: 'local', endpoint }, value: sum }))
}

function* counted(
  services: Iterable<ResilienceLine>,
  label: string,
  words: (resilience: ResilienceCounters) => ReadonlyMap<string, number>,
): Iterable<Sample> {
  for (const { direction, service, resilience } of services) {
    for (const [word, value] of words(resilience)) {
      yield { labels: { direction, service, [label]: word }, value }
    }
  }
}
