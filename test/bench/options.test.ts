// The benchmark's command line.

import { CommanderError } from 'commander'
import t from 'tap'
import { parseOptions, scenariosAt } from '../../bench/options.ts'

const ALL = [
  ...['small', 'small-raw', 'bulk', 'connections', 'idle', 'stopped'],
  ...[
    'latency',
    'strategies',
    'strategies-inbound',
    'workers',
    'parser-api',
    'parser-browser',
    'parser-fields',
  ],
  ...['h2', 'h1-h2', 'h2-h1', 'grpc-unary', 'grpc-stream', 'streams', 'stopped-stream'],
]

t.test('options: without any, everything is measured five times in every mode', async (t) => {
  t.same(parseOptions([]), {
    modes: ['l4', 'l7', 'h2'],
    rounds: 5,
    seconds: 5,
    scenarios: ALL,
    targets: undefined,
    connections: undefined,
    out: 'bench/results',
    profile: undefined,
    install: false,
    check: false,
  })
})

t.test(
  'options: lists come with commas or repeated, and keep the order of the catalog',
  async (t) => {
    const options = parseOptions([
      ...['--scenario', 'idle,small', '--scenario', 'bulk'],
      ...['--target', 'nginx,direct', '--rounds', '7', '--seconds', '0.5', '--connections', '9'],
      ...['--out', 'x', '--profile', 'y', '--install', '--check'],
    ])
    t.same(options, {
      modes: ['l4', 'l7'],
      rounds: 7,
      seconds: 0.5,
      scenarios: ['small', 'bulk', 'idle'],
      targets: ['direct', 'nginx'],
      connections: 9,
      out: 'x',
      profile: 'y',
      install: true,
      check: true,
    })
  },
)

t.test('options: a mode without any of the scenarios is left out', async (t) => {
  t.same(parseOptions(['--scenario', 'idle']).modes, ['l4'])
  t.same(parseOptions(['--scenario', 'latency,small']).modes, ['l4', 'l7'])
  t.same(parseOptions(['--mode', 'l7']).modes, ['l7'])
  t.same(
    scenariosAt('l7', ['idle', 'small']).map(({ name }) => name),
    ['small'],
  )
})

const WRONG: readonly (readonly string[])[] = [
  ['--rounds', '0'],
  ['--rounds', '1.5'],
  ['--rounds', '1e9'],
  ['--seconds', 'soon'],
  ['--seconds', '61'],
  ['--connections', '10001'],
  ['--scenario', 'small,tiny'],
  ['--target', 'envoy'],
  ['--mode', 'l5'],
  ['--mode', 'l7', '--scenario', 'idle'],
  ['--mode', 'h2', '--scenario', 'small'],
  ['--out'],
  ['--loud'],
  ['now'],
]

for (const words of WRONG) {
  t.test(`options: ${words.join(' ')} is refused`, async (t) => {
    t.capture(process.stderr, 'write', () => true)
    t.throws(() => parseOptions(words), CommanderError)
  })
}
