// The command line of the simulation.

import t from 'tap'
import { HELP, type Options, parseOptions } from '../../../bench/simulate/options.ts'
import { Problems } from '../../../src/lib/problems.ts'

const ALL = [
  ...['retry-storm', 'slow-instance', 'cascade', 'rolling-restart', 'cold-return', 'overload'],
]
const DEFAULTS: Options = {
  seed: 1,
  seconds: 60,
  scenarios: ALL,
  out: 'bench/results',
  check: false,
}

t.test('options: without any, everything is run and written', async (t) => {
  t.same(parseOptions([]), DEFAULTS)
})

t.test('options: each is read; scenarios keep the order of the catalog', async (t) => {
  const words = ['--seed', '7', '--seconds=30', '--out', 'x', '--check']
  const scenarios = ['--scenario', 'overload,cascade', '--scenario=retry-storm']
  t.same(parseOptions([...words, ...scenarios]), {
    seed: 7,
    seconds: 30,
    scenarios: ['retry-storm', 'cascade', 'overload'],
    out: 'x',
    check: true,
  })
  t.equal(parseOptions(['--seed', '1', '-h']), undefined)
  for (const name of ['seed', 'seconds', 'scenario', 'out', 'check', ...ALL]) t.match(HELP, name)
})

function problemsOf(words: readonly string[]): string[] {
  const result = parseOptions(words)
  return result instanceof Problems ? result.toString().split('\n') : []
}

const WRONG: readonly (readonly [words: readonly string[], problem: string])[] = [
  [['--seed', '-1'], '--seed: must be a whole number from 0 to 4294967295, but found "-1"'],
  [['--seed', '4294967296'], '--seed: must be'],
  [['--seed', '1', '--seed', '2'], '--seed: is given more than once'],
  [['--seconds', '23'], '--seconds: must be a whole number from 24 to 600, but found "23"'],
  [['--seconds', '601'], '--seconds: must be'],
  [['--seconds', '30.5'], '--seconds: must be'],
  [['--seconds'], '--seconds: needs a value'],
  [['--scenario', 'storm'], '--scenario: must be of retry-storm'],
  [['--scenario', ''], '--scenario: must be of retry-storm'],
  [['--out', ''], '--out: must be a folder'],
  [['--check=no'], '--check: takes no value'],
  [['--loud'], '--loud: is not a known option'],
  [['--toString', 'x'], '--toString: is not a known option'],
  [['now'], 'now: is not an option'],
]

for (const [words, problem] of WRONG) {
  t.test(`options: ${words.join(' ')} is refused`, async (t) => {
    t.match(problemsOf(words).join(), problem)
  })
}

t.test('options: everything that is wrong is told at once', async (t) => {
  const problems = problemsOf([
    '--seed',
    'x',
    '--loud',
    '--seconds',
    '1',
    'now',
    '--scenario',
    'a,b',
  ])
  t.equal(problems.length, 6, problems.join())
})
