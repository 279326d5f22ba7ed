// `retries` of a TrafficPolicy: what a request is sent again for, how often and when; and what all retries together
// may add to the load of a Service.

import { readDuration, readRequiredDuration } from '../lib/duration.ts'
import type { Problems } from '../lib/problems.ts'
import {
  type Fields,
  item,
  join,
  readFields,
  readInteger,
  readList,
  readNumber,
} from '../lib/shape.ts'
import { readBackoff } from './backoff.ts'
import { readMethod } from './http-words.ts'
import {
  DEFAULT_RETRY_BUDGET,
  RETRY_CAUSES,
  type Retries,
  type RetryBudget,
  type RetryCauseWord,
} from './resources.ts'

/** The keys that a Service and each of its routes have. */
export const RETRY_KEYS: readonly string[] = [
  'attempts',
  'on',
  'methods',
  'backoff',
  'retryAfter',
  'hedge',
]
const MOST_ATTEMPTS = 10
const MOST_PER_SECOND = 1_000_000
const WINDOW = { min: 1000, max: 60_000 }

/** What is not among the fields is that of `base`. */
export function readRetries(
  fields: Fields,
  path: string,
  problems: Problems,
  base: Retries,
): Retries {
  const attempts = { min: 0, max: MOST_ATTEMPTS, fallback: base.attempts }
  const within = (key: string): [unknown, string, Problems] => [
    fields.get(key),
    join(path, key),
    problems,
  ]
  return {
    attempts: readInteger(...within('attempts'), attempts),
    on: fields.has('on') ? readEach(...within('on'), readCause) : base.on,
    methods: fields.has('methods')
      ? readEach(...within('methods'), readRetriedMethod)
      : base.methods,
    backoff: readBackoff(...within('backoff'), base.backoff),
    retryAfter: readDuration(...within('retryAfter'), base.retryAfter, { orZero: true }),
    hedgeAfter: fields.has('hedge') ? readHedge(...within('hedge')) : base.hedgeAfter,
  }
}

export function readRetryBudget(value: unknown, path: string, problems: Problems): RetryBudget {
  const fields = readFields(value, path, ['percent', 'minPerSecond', 'window'], problems)
  const { percent, minPerSecond, window } = DEFAULT_RETRY_BUDGET
  const number = (key: string, max: number, fallback: number): number =>
    readNumber(fields.get(key), join(path, key), problems, { min: 0, max, fallback })
  return {
    percent: number('percent', 100, percent),
    minPerSecond: number('minPerSecond', MOST_PER_SECOND, minPerSecond),
    window: readDuration(fields.get('window'), join(path, 'window'), problems, window, WINDOW),
  }
}

function readHedge(value: unknown, path: string, problems: Problems): number {
  const fields = readFields(value, path, ['after'], problems)
  const range = { orZero: true }
  return readRequiredDuration(fields.get('after'), join(path, 'after'), problems, range)
}

/** The items that are sound. */
function readEach<Item>(
  value: unknown,
  path: string,
  problems: Problems,
  read: (value: unknown, path: string, problems: Problems) => Item | undefined,
): Item[] {
  return readList(value, path, problems)
    .map((each, index) => read(each, item(path, index), problems))
    .filter((each) => each !== undefined)
}

/** One of the words, or an HTTP status that is a failure. */
function readCause(
  value: unknown,
  path: string,
  problems: Problems,
): RetryCauseWord | number | undefined {
  const word = RETRY_CAUSES.find((cause) => cause === value)
  if (word !== undefined) return word
  if (typeof value === 'number' && Number.isInteger(value) && value >= 400 && value <= 599) {
    return value
  }
  problems.add(path, `must be one of ${RETRY_CAUSES.join(', ')}, or a status 400 to 599`, value)
  return undefined
}

function readRetriedMethod(value: unknown, path: string, problems: Problems): string | undefined {
  // RFC 9110 section 9.3.6: what a tunnel has carried cannot be carried again.
  if (value === 'CONNECT') problems.add(path, 'is never sent again', value)
  return readMethod(value, path, problems)
}
