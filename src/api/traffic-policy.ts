// `underpass.dev/v1alpha1/TrafficPolicy` from its YAML form: how connections to a Service are carried.
//
// The whole shape is known and checked. What speaks of requests is refused, because this version carries connections
// only and a policy that is silently not in force is worse than none; http-policy.ts has those parts.

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
import {
  checkOutlier,
  checkRequestTimeouts,
  checkRetries,
  checkStickiness,
  NEEDS_L7,
} from './http-policy.ts'
import { readLabel, readMetadata } from './metadata.ts'
import {
  ALGORITHMS,
  type Algorithm,
  DEFAULT_LOAD_BALANCER,
  DEFAULT_TIMEOUTS,
  type LoadBalancer,
  type Origin,
  type Timeouts,
  type TrafficPolicy,
} from './resources.ts'

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
const REQUEST_ALGORITHMS = ['peakEwma', 'ringHash', 'maglev'] as const
const ALL_ALGORITHMS = [...ALGORITHMS, ...REQUEST_ALGORITHMS] as const
const AFFINITIES = ['cookie', 'header', 'sourceIP']
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
  if (readChoice(...within('mode'), ['l4', 'l7'], 'l4') === 'l7') {
    problems.add(join(specPath, 'mode'), NEEDS_L7)
  }
  checkRetries(...within('retries'))
  return {
    kind: 'TrafficPolicy',
    name,
    namespace,
    origin,
    ...readTarget(...within('targetRef')),
    directToEndpoint: readChoice(
      ...within('directToEndpoint'),
      ['endpoint', 'balance'],
      'endpoint',
    ),
    loadBalancer: readLoadBalancer(...within('loadBalancer')),
    timeouts: readTimeouts(...within('timeouts')),
    maxConnections: readCircuitBreaker(...within('circuitBreaker')),
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

function readLoadBalancer(value: unknown, path: string, problems: Problems): LoadBalancer {
  const fields = readFields(value, path, ['algorithm', 'sessionAffinity'], problems)
  return {
    algorithm: readAlgorithm(fields.get('algorithm'), join(path, 'algorithm'), problems),
    sourceIp: readAffinity(fields.get('sessionAffinity'), join(path, 'sessionAffinity'), problems),
  }
}

function readAlgorithm(value: unknown, path: string, problems: Problems): Algorithm {
  const fallback = DEFAULT_LOAD_BALANCER.algorithm
  const word = readChoice(value, path, problems, ALL_ALGORITHMS, fallback)
  const known = ALGORITHMS.find((algorithm) => algorithm === word)
  if (known === undefined) problems.add(path, NEEDS_L7, word)
  return known ?? fallback
}

/** True for affinity by source address. */
function readAffinity(value: unknown, path: string, problems: Problems): boolean {
  if (value === undefined) return DEFAULT_LOAD_BALANCER.sourceIp
  const fields = readFields(value, path, AFFINITIES, problems)
  if (fields.size !== 1) problems.add(path, `must be one of ${AFFINITIES.join(', ')}`, value)
  readFields(fields.get('sourceIP'), join(path, 'sourceIP'), [], problems)
  checkStickiness(fields, path, problems)
  return fields.has('sourceIP')
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

/** The limit on connections, all that is in force without requests. */
function readCircuitBreaker(value: unknown, path: string, problems: Problems): number | undefined {
  const requestLimits = ['maxPendingRequests', 'maxRequests']
  const known = ['maxConnections', ...requestLimits, 'outlier']
  const fields = readFields(value, path, known, problems)
  for (const key of requestLimits.filter((limit) => fields.has(limit))) {
    readLimit(fields, key, path, problems)
    problems.add(join(path, key), NEEDS_L7)
  }
  checkOutlier(fields.get('outlier'), join(path, 'outlier'), problems)
  return fields.has('maxConnections')
    ? readLimit(fields, 'maxConnections', path, problems)
    : undefined
}

function readLimit(fields: Fields, key: string, path: string, problems: Problems): number {
  return readInteger(fields.get(key), join(path, key), problems, { min: 1, max: MAX_LIMIT })
}
