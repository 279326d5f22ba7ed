// `underpass.dev/v1alpha1/TrafficPolicy` from its YAML form: how connections and requests to a Service are carried.
//
// The whole shape is known and checked. What this version does not have is refused: http-policy.ts has those parts.
// By what clients stay with an endpoint is read in session-affinity.ts.

import { readDuration } from '../lib/duration.ts'
import type { Problems } from '../lib/problems.ts'
import {
  type Fields,
  join,
  readChoice,
  readFields,
  readInteger,
  readRequiredFields,
} from '../lib/shape.ts'
import { checkOutlier, checkRequestTimeouts, checkRetries, NOT_YET } from './http-policy.ts'
import { readLabel, readMetadata } from './metadata.ts'
import {
  ALGORITHMS,
  DEFAULT_LOAD_BALANCER,
  DEFAULT_RETRY_BUDGET,
  DEFAULT_RULES,
  DEFAULT_TIMEOUTS,
  type LoadBalancer,
  type Origin,
  type Timeouts,
  type TrafficPolicy,
} from './resources.ts'
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
]
const TARGET = ['group', 'kind', 'name', 'sectionName']
const MODES = ['l4', 'l7'] as const
type Mode = (typeof MODES)[number]
const MAX_LIMIT = 1_000_000

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
  checkRetries(...within('retries'))
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
    timeouts: readTimeouts(...within('timeouts')),
    ...readCircuitBreaker(...within('circuitBreaker')),
    maxRequests: undefined,
    maxRetries: undefined,
    rules: DEFAULT_RULES,
    routes: [],
    retryBudget: DEFAULT_RETRY_BUDGET,
    outlier: undefined,
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

function readTimeouts(value: unknown, path: string, problems: Problems): Timeouts {
  const fields = readFields(value, path, ['connect', 'request', 'perTry', 'idle'], problems)
  const { connect, idle } = DEFAULT_TIMEOUTS
  checkRequestTimeouts(fields, path, problems)
  return {
    connect: readDuration(fields.get('connect'), join(path, 'connect'), problems, connect),
    idle: readDuration(fields.get('idle'), join(path, 'idle'), problems, idle, { orZero: true }),
  }
}

function readCircuitBreaker(
  value: unknown,
  path: string,
  problems: Problems,
): Pick<TrafficPolicy, 'maxConnections' | 'maxPendingRequests'> {
  const known = ['maxConnections', 'maxPendingRequests', 'maxRequests', 'outlier']
  const fields = readFields(value, path, known, problems)
  if (readLimit(fields, 'maxRequests', path, problems) !== undefined) {
    problems.add(join(path, 'maxRequests'), NOT_YET)
  }
  checkOutlier(fields.get('outlier'), join(path, 'outlier'), problems)
  return {
    maxConnections: readLimit(fields, 'maxConnections', path, problems),
    maxPendingRequests: readLimit(fields, 'maxPendingRequests', path, problems),
  }
}

function readLimit(
  fields: Fields,
  key: string,
  path: string,
  problems: Problems,
): number | undefined {
  if (!fields.has(key)) return undefined
  return readInteger(fields.get(key), join(path, key), problems, { min: 1, max: MAX_LIMIT })
}
