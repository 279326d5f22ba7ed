// The metrics of what the mesh does about failures: what was sent again and what came of it, what retries may still
// add, hedges, faults that were injected, mirrors (stack/resilience-counters.ts).
//
// Breakers and admission have files of their own. What a service has had nothing of is left out of the page.

import type { Registry } from 'prom-client'
import type { Millis } from '../../lib/duration.ts'
import type { ResilienceCounters, ResilienceLine } from '../stack/resilience-counters.ts'
import { registerTotals, type Sample } from './totals.ts'

/** A metric with one label besides direction and service. */
interface WordMetric {
  readonly name: string
  readonly help: string
  readonly label: string
  readonly words: (resilience: ResilienceCounters) => Iterable<readonly [string, number]>
}

const WORD_METRICS: readonly WordMetric[] = [
  {
    name: 'underpass_http_retries_total',
    help: 'Tries of requests that were sent again, by what for.',
    label: 'reason',
    words: ({ retries }) => retries,
  },
  {
    name: 'underpass_http_retries_denied_total',
    help: 'Failed tries that the policy would have had sent again, by why they were not.',
    label: 'reason',
    words: ({ denied }) => denied,
  },
  {
    name: 'underpass_http_retry_outcomes_total',
    help: 'Requests that were sent again and have ended, by whether they were answered well.',
    label: 'outcome',
    words: ({ retrySuccesses, retryFailures }) => [
      ['success', retrySuccesses],
      ['failure', retryFailures],
    ],
  },
  {
    name: 'underpass_http_faults_injected_total',
    help: 'Tries that were delayed or failed on purpose.',
    label: 'kind',
    words: ({ faultDelays, faultAborts }) => [
      ['delay', faultDelays],
      ['abort', faultAborts],
    ],
  },
  {
    name: 'underpass_http_mirrors_total',
    help: 'Requests that were to be mirrored, by what came of it.',
    label: 'outcome',
    words: ({ mirrored, mirrorsDropped }) => [
      ['sent', mirrored],
      ['dropped', mirrorsDropped],
    ],
  },
]

/** A metric without one. */
interface PlainMetric {
  readonly name: string
  readonly help: string
  readonly value: (resilience: ResilienceCounters) => number
}

const PLAIN_METRICS: readonly PlainMetric[] = [
  {
    name: 'underpass_http_hedges_won_total',
    help: 'Requests that were answered by their second try before the first.',
    value: ({ hedgesWon }) => hedgesWon,
  },
  {
    name: 'underpass_http_mirror_failures_total',
    help: 'Responses of mirrors that were errors or did not come.',
    value: ({ mirrorFailures }) => mirrorFailures,
  },
]

/** `now` is the clock's. */
export function addResilienceMetrics(
  registry: Registry,
  services: () => Iterable<ResilienceLine> = () => [],
  now: () => Millis = () => 0,
): void {
  for (const { name, help, label, words } of WORD_METRICS) {
    const samples = (): Iterable<Sample> => counted(services(), label, words)
    registerTotals(registry, { name, help, type: 'counter', samples })
  }
  for (const { name, help, value } of PLAIN_METRICS) {
    const samples = (): Iterable<Sample> => totals(services(), value)
    registerTotals(registry, { name, help, type: 'counter', samples })
  }
  registerTotals(registry, {
    name: 'underpass_http_retry_budget_remaining',
    help: 'Retries that would be allowed now.',
    type: 'gauge',
    samples: () => budgets(services(), now()),
  })
}

function* counted(
  services: Iterable<ResilienceLine>,
  label: string,
  words: WordMetric['words'],
): Iterable<Sample> {
  for (const { direction, service, resilience } of services) {
    for (const [word, value] of words(resilience)) {
      if (value > 0) yield { labels: { direction, service, [label]: word }, value }
    }
  }
}

function* totals(
  services: Iterable<ResilienceLine>,
  figure: PlainMetric['value'],
): Iterable<Sample> {
  for (const { direction, service, resilience } of services) {
    const value = figure(resilience)
    if (value > 0) yield { labels: { direction, service }, value }
  }
}

/** Of services that have ever had something to send again: a page need not tell that the others have all of it. */
function* budgets(services: Iterable<ResilienceLine>, now: Millis): Iterable<Sample> {
  for (const { direction, service, resilience, retryBudget } of services) {
    const { retries, denied } = resilience
    if (retryBudget === undefined || (retries.size === 0 && denied.size === 0)) continue
    yield { labels: { direction, service }, value: retryBudget.left(now) }
  }
}
