// What a TrafficPolicy demands of requests: of those of a whole Service, and of those of one route.
//
// The same keys stand on both levels, and a route inherits what it does not say: each timeout and each key of the
// retries by itself, faults and mirror as wholes. So the rules that are given back are always complete.

import { readDuration, readRequiredDuration } from '../lib/duration.ts'
import type { Problems } from '../lib/problems.ts'
import {
  type Fields,
  join,
  readFields,
  readInteger,
  readNumber,
  readPort,
  readRequiredFields,
} from '../lib/shape.ts'
import { readLabel } from './metadata.ts'
import type { Faults, Mirror, RequestTimeouts, RouteRules } from './resources.ts'
import { readRetries } from './retry-policy.ts'

/** The keys of `timeouts` that a Service and each of its routes have. */
export const REQUEST_TIMEOUTS: readonly string[] = [
  'request',
  'perTry',
  'responseHeaders',
  'streamIdle',
]

/** What one level says. Keys of timeouts and retries that are not of requests are passed over. */
export interface Said {
  readonly timeouts: Fields
  readonly retries: Fields
  readonly faults: unknown
  readonly mirror: unknown
}

/** What holds where it says nothing, and the namespace of the policy. */
export interface RulesContext {
  readonly base: RouteRules
  readonly namespace: string
}

/** `path` is that of the level. */
export function readRules(
  said: Said,
  path: string,
  problems: Problems,
  { base, namespace }: RulesContext,
): RouteRules {
  const { timeouts, retries, faults, mirror } = said
  return {
    timeouts: readTimeouts(timeouts, join(path, 'timeouts'), problems, base.timeouts),
    retries: readRetries(retries, join(path, 'retries'), problems, base.retries),
    faults: faults === undefined ? base.faults : readFaults(faults, join(path, 'faults'), problems),
    mirror:
      mirror === undefined
        ? base.mirror
        : readMirror(mirror, join(path, 'mirror'), problems, namespace),
  }
}

function readTimeouts(
  fields: Fields,
  path: string,
  problems: Problems,
  base: RequestTimeouts,
): RequestTimeouts {
  const read = (key: keyof RequestTimeouts): number =>
    readDuration(fields.get(key), join(path, key), problems, base[key], { orZero: true })
  return {
    request: read('request'),
    perTry: read('perTry'),
    responseHeaders: read('responseHeaders'),
    streamIdle: read('streamIdle'),
  }
}

/** An empty mapping is none: so a route can do without those of its Service. */
function readFaults(value: unknown, path: string, problems: Problems): Faults | undefined {
  const fields = readFields(value, path, ['delay', 'abort'], problems)
  const delay = readDelay(fields.get('delay'), join(path, 'delay'), problems)
  const abort = readAbort(fields.get('abort'), join(path, 'abort'), problems)
  return delay === undefined && abort === undefined ? undefined : { delay, abort }
}

function readDelay(value: unknown, path: string, problems: Problems): Faults['delay'] {
  if (value === undefined) return undefined
  const fields = readFields(value, path, ['duration', 'percent'], problems)
  return {
    duration: readRequiredDuration(fields.get('duration'), join(path, 'duration'), problems),
    percent: readPercent(fields, path, problems),
  }
}

function readAbort(value: unknown, path: string, problems: Problems): Faults['abort'] {
  if (value === undefined) return undefined
  const fields = readFields(value, path, ['status', 'percent'], problems)
  const range = { min: 400, max: 599 }
  return {
    status: readInteger(fields.get('status'), join(path, 'status'), problems, range),
    percent: readPercent(fields, path, problems),
  }
}

function readMirror(value: unknown, path: string, problems: Problems, namespace: string): Mirror {
  const known = ['service', 'namespace', 'port', 'percent']
  const fields = readRequiredFields(value, path, known, problems)
  const other = fields.get('namespace')
  return {
    service: readLabel(fields.get('service'), join(path, 'service'), problems),
    namespace:
      other === undefined ? namespace : readLabel(other, join(path, 'namespace'), problems),
    port: readPort(fields.get('port'), join(path, 'port'), problems),
    percent: readPercent(fields, path, problems),
  }
}

/** All of them unless told. */
function readPercent(fields: Fields, path: string, problems: Problems): number {
  const range = { min: 0, max: 100, fallback: 100 }
  return readNumber(fields.get('percent'), join(path, 'percent'), problems, range)
}
