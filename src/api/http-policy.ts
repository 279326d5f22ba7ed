// The parts of a TrafficPolicy that are yet to come: retries, request timeouts, outlier detection.
//
// Their shape is checked as if they worked, so that one run shows every mistake, and then they are refused: a policy
// that is silently not in force is worse than none.

import { readDuration } from '../lib/duration.ts'
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

export const NOT_YET = 'is not in this version'

const RETRY_CAUSES = [
  'connect-failure',
  'reset',
  'refused-stream',
  'per-try-timeout',
  'gateway-error',
  '5xx',
]
const METHOD = /^[A-Z][A-Z-]{0,31}$/
const MAX_COUNT = 1_000_000

export function checkRequestTimeouts(fields: Fields, path: string, problems: Problems): void {
  for (const key of ['request', 'perTry'].filter((timeout) => fields.has(timeout))) {
    readDuration(fields.get(key), join(path, key), problems, 1)
    problems.add(join(path, key), NOT_YET)
  }
}

export function checkRetries(value: unknown, path: string, problems: Problems): void {
  if (value === undefined) return
  const known = ['attempts', 'on', 'methods', 'budget', 'backoff']
  const fields = readFields(value, path, known, problems)
  const attempts = { min: 0, max: 10, fallback: 0 }
  readInteger(fields.get('attempts'), join(path, 'attempts'), problems, attempts)
  for (const [index, cause] of readList(fields.get('on'), join(path, 'on'), problems).entries()) {
    checkCause(cause, item(join(path, 'on'), index), problems)
  }
  const methods = readList(fields.get('methods'), join(path, 'methods'), problems)
  for (const [index, method] of methods.entries()) {
    if (typeof method === 'string' && METHOD.test(method)) continue
    problems.add(item(join(path, 'methods'), index), 'must be a method like GET', method)
  }
  checkBudget(fields.get('budget'), join(path, 'budget'), problems)
  checkBackoff(fields.get('backoff'), join(path, 'backoff'), problems)
  problems.add(path, NOT_YET)
}

export function checkOutlier(value: unknown, path: string, problems: Problems): void {
  if (value === undefined) return
  const fields = readFields(
    value,
    path,
    ['consecutiveFailures', 'minSuccessRate', 'slowerThanPeers', 'ejection', 'maxEjectedPercent'],
    problems,
  )
  const number = (key: string, min: number, max: number) =>
    readNumber(fields.get(key), join(path, key), problems, { min, max, fallback: min })
  const failures = { min: 1, max: MAX_COUNT, fallback: 1 }
  const failuresPath = join(path, 'consecutiveFailures')
  readInteger(fields.get('consecutiveFailures'), failuresPath, problems, failures)
  number('minSuccessRate', 0, 1)
  number('slowerThanPeers', 1, MAX_COUNT)
  number('maxEjectedPercent', 0, 100)
  checkBackoff(fields.get('ejection'), join(path, 'ejection'), problems)
  problems.add(path, NOT_YET)
}

/** One of the words, or an HTTP status that is a failure. */
function checkCause(value: unknown, path: string, problems: Problems): void {
  if (typeof value === 'string' && RETRY_CAUSES.includes(value)) return
  if (Number.isInteger(value) && Number(value) >= 400 && Number(value) <= 599) return
  problems.add(path, `must be one of ${RETRY_CAUSES.join(', ')}, or a status 400 to 599`, value)
}

function checkBudget(value: unknown, path: string, problems: Problems): void {
  const fields = readFields(value, path, ['percent', 'minPerSecond', 'window'], problems)
  const percent = { min: 0, max: 100, fallback: 0 }
  readNumber(fields.get('percent'), join(path, 'percent'), problems, percent)
  const rate = { min: 0, max: MAX_COUNT, fallback: 0 }
  readNumber(fields.get('minPerSecond'), join(path, 'minPerSecond'), problems, rate)
  readDuration(fields.get('window'), join(path, 'window'), problems, 1)
}

/** `base` and `max`, of retries and of ejections. */
function checkBackoff(value: unknown, path: string, problems: Problems): void {
  const fields = readFields(value, path, ['base', 'max'], problems)
  const base = readDuration(fields.get('base'), join(path, 'base'), problems, 1)
  const max = readDuration(fields.get('max'), join(path, 'max'), problems, base)
  if (max < base) {
    problems.add(join(path, 'max'), 'must not be less than base', fields.get('max'))
  }
}
