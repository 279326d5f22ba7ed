// The metrics of circuit breakers: where each stands, and what has come of them by Service.
//
// A breaker is one series with a number, so that `max by (service)` says what is wrong and a state that was left does
// not linger as a series at 0. Only Services whose policy ejects endpoints have any of it, and of their endpoints only
// those that this proxy has sent something to.

import type { Registry } from 'prom-client'
import type { Destination } from '../stack/destination.ts'
import type { BreakerState } from '../stack/health.ts'
import type { ResilienceCounters } from '../stack/resilience-counters.ts'
import { registerTotals, type Sample } from './totals.ts'

const STATES: Readonly<Record<BreakerState, number>> = { closed: 0, 'half-open': 1, open: 2 }

/** A figure of each Service. */
interface ServiceMetric {
  readonly name: string
  readonly help: string
  readonly value: (counters: ResilienceCounters) => number
}

const SERVICE_METRICS: readonly ServiceMetric[] = [
  {
    name: 'underpass_ejections_spared_total',
    help: 'Endpoints that should have been ejected, had not too many been already.',
    value: ({ ejectionsSpared }) => ejectionsSpared,
  },
  {
    name: 'underpass_readmissions_total',
    help: 'Endpoints that were let back after an ejection.',
    value: ({ readmissions }) => readmissions,
  },
  {
    name: 'underpass_panics_total',
    help: 'Times that so few endpoints were well that ejected ones were asked too.',
    value: ({ panics }) => panics,
  },
]

/** `services` gives every Service port that discovery has at the moment. */
export function addHealthMetrics(registry: Registry, services: () => Iterable<Destination>): void {
  const watched = function* (): Iterable<Destination> {
    for (const destination of services()) if (destination.health !== undefined) yield destination
  }
  addStates(registry, watched)
  registerTotals(registry, {
    name: 'underpass_ejections_total',
    help: 'Endpoints that were ejected, by what tripped their breaker.',
    type: 'counter',
    samples: function* () {
      for (const { service, resilience } of watched()) {
        for (const [reason, value] of resilience.ejections)
          yield { labels: { service, reason }, value }
      }
    },
  })
  for (const { name, help, value } of SERVICE_METRICS) {
    const samples = function* (): Iterable<Sample> {
      for (const { service, resilience } of watched())
        yield { labels: { service }, value: value(resilience) }
    }
    registerTotals(registry, { name, help, type: 'counter', samples })
  }
}

/** Over several processes: the worst of them. */
function addStates(registry: Registry, watched: () => Iterable<Destination>): void {
  registerTotals(registry, {
    name: 'underpass_breaker_state',
    help: 'Circuit breakers of endpoints: 0 closed, 1 half-open, 2 open.',
    type: 'gauge',
    aggregator: 'max',
    samples: function* () {
      for (const { service, health, picker } of watched()) {
        for (const endpoint of picker.endpoints) {
          // Time does not matter to the state.
          const state = endpoint.breaker === undefined ? undefined : health?.view(endpoint, 0).state
          if (state === undefined) continue
          yield { labels: { service, endpoint: endpoint.key }, value: STATES[state] }
        }
      }
    },
  })
  registerTotals(registry, {
    name: 'underpass_panicking',
    help: '1 while so few endpoints of a Service are well that ejected ones are asked too.',
    type: 'gauge',
    aggregator: 'max',
    samples: function* () {
      for (const { service, health } of watched())
        yield { labels: { service }, value: health?.isPanicking === true ? 1 : 0 }
    },
  })
}
