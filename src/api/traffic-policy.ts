// `underpass.dev/v1alpha1/TrafficPolicy` from its YAML form: how connections and requests to a Service are carried.
//
// What it demands of requests is read in http-policy.ts and policy-routes.ts, limits in circuit-breaker.ts, by what
// clients stay with an endpoint in session-affinity.ts.

import { readDuration } from '../lib/duration.ts'
import type { Problems } from '../lib/problems.ts'
import { type Fields, join, readChoice, readFields, readRequiredFields } from '../lib/shape.ts'
import { readCircuitBreaker } from './circuit-breaker.ts'
import { REQUEST_TIMEOUTS, readRules } from './http-policy.ts'
import { readLabel, readMetadata } from './metadata.ts'
import { readRoutes } from './policy-routes.ts'
import { refuseRequestParts } from './request-parts.ts'
import {
  ALGORITHMS,
  DEFAULT_LOAD_BALANCER,
  DEFAULT_RULES,
  DEFAULT_TIMEOUTS,
  type LoadBalancer,
  type Origin,
  type Timeouts,
  type TrafficPolicy,
} from './resources.ts'
import { RETRY_KEYS, readRetryBudget } from './retry-policy.ts'
import { readSessionAffinity } from './session-affinity.ts'

const TOP = ['apiVersion', 'kind', 'metadata', 'spec', 'status']
const SPEC = [
  'targetRef',
  'mode',
  'directToEndpoint',
  'loadBalancer',
  'timeouts',
  'retries',
  'circuitBreaker',
  'faults',
  'mirror',
  'routes',
]
const TARGET = ['group', 'kind', 'name', 'sectionName']
const MODES = ['l4', 'l7'] as const
type Mode = (typeof MODES)[number]

export function readTrafficPolicy(
  value: unknown,
  path: string,
  origin: Origin,
  problems: Problems,
): TrafficPolicy {
  const top = readFields(value, path, TOP, problems)
  const { name, namespace } = readMetadata(top.get('metadata'), join(path, 'metadata'), problems, {
    name: 'subdomain',
    annotations: [],
  })
  const specPath = join(path, 'spec')
  const spec = readRequiredFields(top.get('spec'), specPath, SPEC, problems)
  const within = (key: string): [unknown, string, Problems] => [
    spec.get(key),
    join(specPath, key),
    problems,
  ]
  const mode = spec.has('mode') ? readChoice(...within('mode'), MODES) : undefined
  if (mode === 'l4') refuseRequestParts(spec, specPath, problems)
  return {
    kind: 'TrafficPolicy',
    name,
    namespace,
    origin,
    ...readTarget(...within('targetRef')),
    mode,
    directToEndpoint: readChoice(
      ...within('directToEndpoint'),
      ['endpoint', 'balance'],
      'endpoint',
    ),
    loadBalancer: readLoadBalancer(...within('loadBalancer'), mode),
    ...readCircuitBreaker(...within('circuitBreaker')),
    ...readDemands(spec, specPath, problems, namespace),
  }
}

/** What holds for connections and requests, and for those of each route. */
function readDemands(
  spec: Fields,
  path: string,
  problems: Problems,
  namespace: string,
): Pick<TrafficPolicy, 'timeouts' | 'rules' | 'routes' | 'retryBudget'> {
  const below = (key: string, known: readonly string[]): Fields =>
    readFields(spec.get(key), join(path, key), known, problems)
  const timeouts = below('timeouts', ['connect', 'idle', ...REQUEST_TIMEOUTS])
  const retries = below('retries', [...RETRY_KEYS, 'budget'])
  const said = { timeouts, retries, faults: spec.get('faults'), mirror: spec.get('mirror') }
  const rules = readRules(said, path, problems, { base: DEFAULT_RULES, namespace })
  const context = { base: rules, namespace }
  const budgetPath = join(join(path, 'retries'), 'budget')
  return {
    timeouts: readTimeouts(timeouts, join(path, 'timeouts'), problems),
    rules,
    routes: readRoutes(spec.get('routes'), join(path, 'routes'), problems, context),
    retryBudget: readRetryBudget(retries.get('budget'), budgetPath, problems),
  }
}

function readTarget(
  value: unknown,
  path: string,
  problems: Problems,
): { service: string; section: string | undefined } {
  const fields = readRequiredFields(value, path, TARGET, problems)
  const group = fields.get('group') ?? ''
  if (group !== '') problems.add(join(path, 'group'), 'must be empty, as for a Service', group)
  if (value === undefined) return { service: '', section: undefined }
  readChoice(fields.get('kind'), join(path, 'kind'), problems, ['Service'])
  const section = fields.get('sectionName')
  return {
    service: readLabel(fields.get('name'), join(path, 'name'), problems),
    section:
      section === undefined ? undefined : readLabel(section, join(path, 'sectionName'), problems),
  }
}

function readLoadBalancer(
  value: unknown,
  path: string,
  problems: Problems,
  mode: Mode | undefined,
): LoadBalancer {
  const fields = readFields(value, path, ['algorithm', 'sessionAffinity'], problems)
  return {
    algorithm: readChoice(
      fields.get('algorithm'),
      join(path, 'algorithm'),
      problems,
      ALGORITHMS,
      DEFAULT_LOAD_BALANCER.algorithm,
    ),
    affinity: readSessionAffinity(
      fields.get('sessionAffinity'),
      join(path, 'sessionAffinity'),
      problems,
      mode !== 'l4',
    ),
  }
}

/** Of connections. */
function readTimeouts(fields: Fields, path: string, problems: Problems): Timeouts {
  const { connect, idle } = DEFAULT_TIMEOUTS
  return {
    connect: readDuration(fields.get('connect'), join(path, 'connect'), problems, connect),
    idle: readDuration(fields.get('idle'), join(path, 'idle'), problems, idle, { orZero: true }),
  }
}
