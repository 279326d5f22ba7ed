import t from 'tap'
import {
  type DurationRange,
  formatDuration,
  LONGEST,
  parseDuration,
  readDuration,
  readRequiredDuration,
} from '../../src/lib/duration.ts'
import { Problems } from '../../src/lib/problems.ts'

t.test('duration: what is one', async (t) => {
  const cases: [string, number][] = [
    ['250ms', 250],
    ['1s', 1000],
    ['5m', 300_000],
    ['1h30m', 5_400_000],
    ['1h1m1s1ms', 3_661_001],
    ['0s', 0],
    ['00012s', 12_000],
  ]
  for (const [text, expected] of cases) t.equal(parseDuration(text), expected, text)
})

t.test('duration: what is none', async (t) => {
  const cases = [
    '',
    '1',
    '1.5s',
    '-1s',
    '1 s',
    's',
    '1d',
    '1S',
    '123456s',
    '1s1s1s1s1s',
    '1s\n',
    '１s',
  ]
  for (const text of cases) t.equal(parseDuration(text), undefined, JSON.stringify(text))
})

t.test('duration: is written as it is read', async (t) => {
  for (const text of ['250ms', '1h30m', '24h', '1m1ms', '0s']) {
    t.equal(formatDuration(parseDuration(text) ?? -1), text)
  }
})

t.test('duration: the range of a key', async (t) => {
  const cases: [unknown, DurationRange, string][] = [
    [undefined, {}, ''],
    ['1s', {}, ''],
    ['0s', { orZero: true, min: 1000 }, ''],
    ['0s', {}, 'x: must be a duration like 250ms, 1s or 5m, but found "0s"'],
    [1000, {}, 'x: must be a duration like 250ms, 1s or 5m, but found 1000'],
    [
      '999ms',
      { orZero: true, min: 1000 },
      'x: must be a duration like 250ms, 1s or 5m, at least 1s, or 0s for none, but found "999ms"',
    ],
    [
      '99999h',
      {},
      'x: must be a duration like 250ms, 1s or 5m, at most 596h31m23s647ms, but found "99999h"',
    ],
  ]
  for (const [value, range, expected] of cases) {
    const problems = new Problems()
    const duration = readDuration(value, 'x', problems, 7, range)
    t.equal(problems.toString(), expected)
    if (expected !== '' || value === undefined) t.equal(duration, 7)
  }
  t.equal(readDuration('596h31m23s647ms', 'x', new Problems(), 7), LONGEST)
})

t.test('duration: one that must be there', async (t) => {
  const problems = new Problems()
  t.equal(readRequiredDuration('1s', 'x', problems), 1000)
  t.equal(readRequiredDuration('0s', 'x', problems, { orZero: true }), 0)
  t.equal(problems.toString(), '')
  readRequiredDuration(undefined, 'x', problems)
  readRequiredDuration('0s', 'y', problems)
  t.equal(
    problems.toString(),
    'x: is required\ny: must be a duration like 250ms, 1s or 5m, but found "0s"',
  )
})
